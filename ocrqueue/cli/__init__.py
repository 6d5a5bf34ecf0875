"""The command line. `main` turns every error into one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from ocrqueue import __version__
from ocrqueue.cli import jobs, memory
from ocrqueue.cli.engines import engines
from ocrqueue.cli.keys import keys
from ocrqueue.cli.models import models
from ocrqueue.cli.ocr import ocr
from ocrqueue.cli.report import CLOSED, DONE, INTERRUPTED, USAGE, complain, program, report
from ocrqueue.cli.webhooks import webhooks
from ocrqueue.errors import OcrError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="OCR Queue %(version)s")
def cli() -> None:
    """OCR Queue reads the text of documents: scans, photos and PDF files.

    Exit codes: 0 done; 2 wrong usage; 3 a job is partial; 4 a job failed, was cancelled or is unknown; 5 the timeout
    expired, the job continues; 6 the queue cannot be reached or is full; 130 interrupted, the job continues; 141 the
    reader of the output, such as head, closed it.
    """


_OF_JOBS = (jobs.status, jobs.wait, jobs.result, jobs.cancel, jobs.retry, jobs.drop, jobs.list_jobs, jobs.dead)
for command in (ocr, *_OF_JOBS, engines, models, keys, webhooks, jobs.doctor):
    cli.add_command(command)
for command in (memory.unload, memory.memory):
    models.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # characters that the encoding of the terminal lacks
    try:
        # not `cli.main`, which exits with 1 if the reader of the output has closed it
        with cli.make_context(program(), list(sys.argv[1:] if arguments is None else arguments)) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
        return int(code or DONE)
    except click.exceptions.NoArgsIsHelpError as e:
        click.echo(e.format_message(), err=True)
        return USAGE
    except click.ClickException as e:
        message, where = e.format_message().rstrip("."), getattr(e, "ctx", None)
        help_of = where.command_path if where else program()
        complain(message if "; " in message else f"{message}; see `{help_of} --help`")
        return USAGE
    except OcrError as e:
        return report(e)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.Exit as e:
        return e.exit_code
    except BrokenPipeError:
        _drop_output()
        return CLOSED
    except OSError as e:
        _drop_output()
        complain(f"the output cannot be written ({e.strerror or e}); correct that, or name a file with -o")
        return USAGE


def _drop_output() -> None:
    """Send the rest of the output to /dev/null, because Python flushes it at exit and would print an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
