"""The application's address: `celery -A tasks.app worker`.

`python -m tasks.app worker` and `... beat` take the same arguments, and need a third less CPU time to start: Celery's
command line loads all its commands, and so Flower and a library for prompts.
"""

from worker.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command that the arguments of this process name; ends the process."""
    import click
    from celery.bin.base import CLIContext
    from celery.bin.beat import beat
    from celery.bin.worker import worker

    context = CLIContext(app, no_color=None, workdir=None)
    commands = click.Group(commands={"worker": worker, "beat": beat})
    commands(prog_name="python -m tasks.app", obj=context, auto_envvar_prefix="CELERY")


if __name__ == "__main__":
    main()
