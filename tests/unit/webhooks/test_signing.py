"""Signatures of webhooks, verified by an independent library."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from ocrqueue.webhooks.signing import signed

OLD = "whsec_" + base64.b64encode(bytes(range(24))).decode()
NEW = "whsec_" + base64.b64encode(bytes(range(64))).decode()
BODY = '{"type":"job.done","name":"Straße.pdf"}'.encode()


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_the_receiver_can_verify_a_delivery(secret: str) -> None:
    headers = signed(secret, "some-id", int(time.time()), BODY)
    assert headers["webhook-id"] == "some-id"
    assert Webhook(secret).verify(BODY, headers)["type"] == "job.done"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)


def test_receivers_with_the_old_and_the_new_secret_can_verify() -> None:
    headers = signed(f"{OLD} {NEW}", "some-id", int(time.time()), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(BODY, headers)


def test_the_id_and_the_time_are_signed() -> None:
    headers = signed(OLD, "some-id", int(time.time()), BODY)
    for name, value in (("webhook-id", "other-id"), ("webhook-timestamp", str(int(time.time()) - 1))):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(BODY, {**headers, name: value})
