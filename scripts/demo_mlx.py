"""`make demo-mlx`: the demonstration with a very small vision-language model, which is part of the tests.

It draws a few lines of capital letters and digits, and reads them in a stack of its own. The model is loaded, freed and
loaded again.
"""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ocrqueue.settings import shared
from scripts import demo
from tests.support import tiny

LINES = ("HELLO MLX", "READ ME 42")


def run(*command: str) -> int:
    """Print a command and run it. Returns its exit code."""
    demo.say("$ python " + " ".join(command))
    return subprocess.run([sys.executable, *command], check=False).returncode


def main() -> int:
    """Run the demonstration. Returns the exit code of the first command that failed, or 0."""
    os.chdir(demo.PROJECT)
    if find_spec("mlx_vlm") is None:
        demo.say("demo: MLX is not installed; `make setup MLX=1` installs it, if it has wheels for this machine")
        return 1
    with tempfile.TemporaryDirectory(prefix="ocr-demo-") as folder:
        os.environ |= {"OCR_DATA_DIR": folder, "OCR_MODEL": str(tiny.FOLDER), "OCR_WORKER_ENGINES": "mlx-vlm"}
        os.environ["OCR_MLX_PROMPT"] = tiny.PROMPT  # the model was trained with it, and misreads some letters without
        os.environ.pop("REDIS_URL", None)
        image = Path(folder) / "hello.png"
        tiny.render(*LINES).save(image)
        settings = shared()
        try:
            with demo.connect(settings) as client, demo.stack(client, settings):
                read = ("submit.py", "ocr", str(image), "--engine", "mlx-vlm", "--fresh")
                steps = (read, ("submit.py", "models", "memory"), ("submit.py", "models", "unload"))
                return next((code for step in (*steps, read) if (code := run(*step))), 0)
        except demo.DemoError as e:
            demo.say(f"demo: {e}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
