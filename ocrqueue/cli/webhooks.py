"""The commands about the deliveries of webhooks."""

import json
import sys
from datetime import datetime

import click

from ocrqueue.cli.report import DONE, report, say, worst
from ocrqueue.client import Client
from ocrqueue.errors import OcrError
from ocrqueue.ledger.connection import reaching
from ocrqueue.ledger.deliveries import Delivery
from ocrqueue.states import DeliveryState


@click.group()
def webhooks() -> None:
    """Show what was sent to the URLs that jobs name, and send it again."""


@webhooks.command(name="list")
@click.option("--job", metavar="JOB", help="Only deliveries of this job.")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), help="Only this state.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def list_deliveries(job: str | None, state: str | None, as_json: bool) -> int:
    """List the deliveries, newest first: id, event, host, state, tries, last answer."""
    client = Client()
    with reaching(client.settings):
        found = client.deliveries.of_job(client.job(job).id) if job else client.deliveries.newest_first()
        is_empty = True
        for delivery in found:
            if state is not None and delivery.state != state:
                continue
            is_empty = False
            if as_json:
                print(json.dumps(delivery.to_json()))
            else:
                say(_row(delivery), sys.stdout)
    if is_empty:
        none = "no delivery: a job has some if it names a URL, as with `--webhook URL`"
        say(f"no delivery is {state}" if state else none)
    return DONE


def _row(delivery: Delivery) -> str:
    tries = f"{delivery.tries} {'try' if delivery.tries == 1 else 'tries'}"
    parts = [delivery.id, delivery.event, delivery.host, delivery.state, tries]
    if delivery.error:
        parts.append(delivery.error)
    if delivery.next is not None and delivery.tries:
        parts.append(f"next try at {datetime.fromtimestamp(delivery.next).astimezone():%Y-%m-%d %H:%M:%S}")
    return "  ".join(parts)


@webhooks.command()
@click.argument("deliveries", nargs=-1, required=True, metavar="DELIVERY...")
def repeat(deliveries: tuple[str, ...]) -> int:
    """Send deliveries again, from the first try on, with the same ids."""
    client = Client()
    codes = []
    for delivery in deliveries:
        try:
            client.repeat(delivery)
        except OcrError as e:
            codes.append(report(e))
        else:
            say(f"{delivery}: is sent again", sys.stdout)
    return worst(codes)
