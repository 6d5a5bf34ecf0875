"""`make demo-mlx`: the demonstration with a vision-language model, one so small that it comes with the tests.

It reads a few lines of capital letters and digits, drawn here, in a stack of its own: the model is loaded, read with,
given back and loaded again.
"""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ocrqueue.settings import shared
from scripts import demo

MODEL = demo.PROJECT / "tests" / "data" / "tiny-ocr-vlm"
LINES = ("HELLO MLX", "READ ME 42")


def draw(file: Path) -> None:
    """An image of the lines, as the model was taught to read them."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (200, 72), "white")
    for number, line in enumerate(LINES):
        font = ImageFont.load_default(24)
        ImageDraw.Draw(page).text((8, 6 + 32 * number), line, fill="black", font=font, anchor="la")
    page.save(file)


def run(*command: str) -> int:
    """Show a command, run it, give its exit code."""
    demo.say("$ python " + " ".join(command))
    return subprocess.run([sys.executable, *command], check=False).returncode


def main() -> int:
    """The demonstration; the exit code of what went wrong first."""
    os.chdir(demo.PROJECT)
    if find_spec("mlx_vlm") is None:
        demo.say("demo: MLX is not installed here; `make setup MLX=1` takes it in, where it has wheels")
        return 1
    with tempfile.TemporaryDirectory(prefix="ocr-demo-") as folder:
        os.environ |= {"OCR_DATA_DIR": folder, "OCR_MODEL": str(MODEL), "OCR_WORKER_ENGINES": "mlx-vlm"}
        os.environ.pop("REDIS_URL", None)
        image = Path(folder) / "hello.png"
        draw(image)
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
