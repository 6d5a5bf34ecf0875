"""The networks in int8: which processor reads with it, of which files they were made, and damage."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocrqueue.engines.rapidocr import weights
from ocrqueue.engines.rapidocr.engine import RapidOcr
from ocrqueue.engines.rapidocr.networks import OpenVino, model_in
from ocrqueue.engines.rapidocr.recogniser import body_of
from ocrqueue.errors import ModelUnavailable
from ocrqueue.vision.ppocr import network_input


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2 avx512f avx512_vnni avx512_bf16", "int8"),
        ("avx2", "int8"),
        ("sse4_2 avx", "default"),
        ("", "default"),
    ],
)
def test_int8_is_used_with_avx2(flags: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_processor", lambda: flags)
    assert weights.precision() == expected


def test_the_precision_is_part_of_the_fingerprint() -> None:
    assert RapidOcr("int8").fingerprint() != RapidOcr("f32").fingerprint()


@pytest.mark.parametrize("part", ["Det", "Rec"])
def test_a_network_in_int8_is_only_used_for_the_file_it_was_made_of(part: str, tmp_path: Path) -> None:
    assert weights.int8_of(part, weights.weights()[part]) == weights.INT8[part]
    assert weights.int8_of(part, weights.Weights(tmp_path / "other.onnx", "0" * 64)) is None


@pytest.mark.parametrize("part", ["Det", "Rec"])
def test_the_weights_of_another_version_of_rapidocr_have_the_hash_of_its_list(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = weights.weights()[part]
    monkeypatch.setitem(weights._INT8_HASHES, part, ("0" * 64, "0" * 64))
    found = weights.weights()[part]
    assert found == expected
    assert weights.int8_of(part, found) is None


@pytest.mark.parametrize("listed", ["", "{model_dir: https://host/PP-OCRv6_det_small.onnx, SHA256: '0'}"])
def test_a_damaged_original_is_an_error(listed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "PP-OCRv6_det_small.onnx").write_bytes(b"damaged")
    models = f"{{small: {listed}}}" if listed else "{}"
    (tmp_path / "default_models.yaml").write_text(f"onnxruntime: {{PP-OCRv6: {{det: {models}}}}}")
    monkeypatch.setattr(weights, "package_folder", lambda: tmp_path)
    with pytest.raises(ModelUnavailable, match=r"det_small\.onnx is damaged: pip install --force-reinstall") as e:
        weights.weights()
    assert e.value.code == "model_broken"


@pytest.mark.parametrize("part", ["Det", "Rec"])
def test_a_damaged_network_in_int8_is_an_error(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(weights.INT8[part].read_bytes()[:-1] + b"?")
    monkeypatch.setitem(weights.INT8, part, damaged)
    with pytest.raises(ModelUnavailable, match=r"damaged\.zip is damaged: install OCR Queue again") as e:
        weights.int8_of(part, weights.weights()[part])
    assert e.value.code == "model_broken"


def test_the_recogniser_in_int8_finds_nearly_the_features_of_the_original() -> None:
    exact = OpenVino(body_of(model_in(weights.weights()["Rec"].file)), rounds=False)
    quick = OpenVino(model_in(weights.INT8["Rec"]), rounds=False)
    line = drawn(320, 48)
    expected, found = exact(line)[0], quick(line)[0]
    assert found.shape == expected.shape == (40, 120)
    angles = (expected * found).sum(axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    assert np.median(angles) > 0.95


def test_the_detector_in_int8_takes_nearly_the_same_pixels_for_text() -> None:
    exact = OpenVino(weights.weights()["Det"].file, rounds=False)
    quick = OpenVino(weights.INT8["Det"], rounds=False)
    page = drawn(384, 128)
    expected, found = exact(page)[0, 0] > 0.3, quick(page)[0, 0] > 0.3
    assert expected.any()
    assert (expected & found).sum() > 0.95 * (expected | found).sum()


def drawn(width: int, height: int) -> NDArray[np.float32]:
    """An image with a line of text in its upper part, as the networks are shown it."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).text((8, 4), "Invoice 4711 of May", fill="black", font=ImageFont.load_default(32))
    return network_input(np.asarray(image))[None]
