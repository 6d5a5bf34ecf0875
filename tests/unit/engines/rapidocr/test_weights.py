"""The network in int8: which processor reads with it, of which file it was made, and damage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.engines.rapidocr import weights
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.engines.rapidocr.networks import OpenVino, model_in
from ocrqueue.engines.rapidocr.recogniser import body_of
from ocrqueue.errors import ModelUnavailable
from ocrqueue.ppocr import network_input


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2 avx512f avx512_vnni", "int8"),
        ("avx2 avx512f avx512_vnni avx512_bf16", "default"),
        ("avx2", "default"),
        ("", "default"),
    ],
)
def test_int8_is_used_with_vnni_and_without_bfloat16(
    flags: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_processor", lambda: flags)
    assert weights.precision() == expected


def test_the_precision_is_part_of_the_fingerprint() -> None:
    assert RapidOcr("int8").fingerprint() != RapidOcr("f32").fingerprint()


def test_the_network_in_int8_is_only_used_for_the_file_it_was_made_of(tmp_path: Path) -> None:
    assert weights.int8_of(weights.weights()["Rec"]) == weights.INT8
    other = tmp_path / "rec.onnx"
    other.write_bytes(b"another version")
    assert weights.int8_of(other) is None


def test_a_damaged_network_in_int8_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "recogniser.zip"
    damaged.write_bytes(weights.INT8.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(weights, "INT8", damaged)
    with pytest.raises(ModelUnavailable, match=r"recogniser\.zip is damaged: install OCR Queue again") as e:
        weights.int8_of(weights.weights()["Rec"])
    assert e.value.code == "model_broken"


def test_the_network_in_int8_finds_nearly_the_features_of_the_original() -> None:
    exact = OpenVino(body_of(model_in(weights.weights()["Rec"])), rounds=False)
    quick = OpenVino(model_in(weights.INT8), rounds=False)
    image = Image.new("RGB", (320, 48), "white")
    ImageDraw.Draw(image).text((8, 4), "Invoice 4711 of May", fill="black", font=ImageFont.load_default(32))
    line = network_input(np.asarray(image))[None]
    expected, found = exact(line)[0], quick(line)[0]
    assert found.shape == expected.shape == (40, 120)
    angles = (expected * found).sum(axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    assert np.median(angles) > 0.95
