"""`python -m worker.flower`: starts Flower, on loopback by default. On any other address it requires a password."""

import os
import sys

from ocrqueue.process.ports import bound
from ocrqueue.settings import SettingsError, check_address, is_loopback, refuse_to_start

try:
    import worker_config as config
except SettingsError as e:
    refuse_to_start(e)


def check() -> None:
    """Raise SystemExit, with one line, if Flower cannot listen, or others could reach it without a password."""
    try:
        check_address("OCR_FLOWER_ADDRESS", config.OCR_FLOWER_ADDRESS)
    except SettingsError as e:
        refuse_to_start(e)
    if not is_loopback(config.OCR_FLOWER_ADDRESS) and not config.OCR_FLOWER_PASSWORD:
        sys.exit(
            f"ocr: OCR_FLOWER_ADDRESS={config.OCR_FLOWER_ADDRESS!r} opens Flower to others: "
            "set OCR_FLOWER_PASSWORD=user:password too, or leave the address at 127.0.0.1"
        )


def main() -> None:
    """Replace this process by Flower. The password is an environment variable, so that no process list shows it."""
    check()
    try:  # Flower itself ends with a traceback
        bound("Flower", "FLOWER", config.OCR_FLOWER_ADDRESS, config.OCR_FLOWER_PORT).close()
    except SettingsError as e:
        refuse_to_start(e)
    if config.OCR_FLOWER_PASSWORD:
        os.environ["FLOWER_BASIC_AUTH"] = config.OCR_FLOWER_PASSWORD
    database = config.OCR_DATA_DIR / "flower" / "flower.db"
    os.umask(0o077)  # its file has names of documents
    database.parent.mkdir(parents=True, exist_ok=True)
    database.parent.chmod(0o700)  # an older version made it for everybody
    options = {
        "address": config.OCR_FLOWER_ADDRESS,
        "port": config.OCR_FLOWER_PORT,
        "persistent": True,
        "db": database,
        "max_tasks": 5000,  # the newest ones; all of them are written with the state, and Flower does nothing meanwhile
        "state_save_interval": 60_000,  # milliseconds
        "tasks_columns": "name,uuid,state,args,result,received,started,runtime,worker",
    }
    celery = "celery" if config.OCR_FLOWER_PASSWORD else "worker.flower.guarded"
    command = [sys.executable, "-m", celery, "-A", "tasks.app", "flower", *(f"--{k}={v}" for k, v in options.items())]
    os.execv(sys.executable, command)  # noqa: S606 -- no shell, our own arguments
