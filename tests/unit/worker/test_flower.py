"""Flower does not start on an address that other machines reach without a password."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def test_flower_on_a_public_address_requires_a_password() -> None:
    env = {**os.environ, "OCR_FLOWER_ADDRESS": "0.0.0.0"}
    done = subprocess.run(
        [sys.executable, "-m", "worker.flower"], cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert done.stderr.strip() == (
        "ocr: OCR_FLOWER_ADDRESS='0.0.0.0' opens Flower to others: "
        "set OCR_FLOWER_PASSWORD=user:password too, or leave the address at 127.0.0.1"
    )
