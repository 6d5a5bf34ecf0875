"""Settings of the model directory."""

from pathlib import Path

import pytest

from ocrqueue.models.settings import ModelSettings, model_settings


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_settings(tmp_path) == ModelSettings(tmp_path / "models")
    for name, value in {
        "OCR_MODEL_DIR": f"{tmp_path}/m", "OCR_OLD_PREFIXES": "old_, alt_", "OCR_MODEL_UNUSED_DAYS": "5",
        "OCR_MODEL_DIR_MAX_GB": "3", "OCR_TRASH_DAYS": "0", "OCR_PRUNE": "report", "OCR_MODEL": "a/b",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert model_settings(tmp_path) == ModelSettings(tmp_path / "m", "report", ("old_", "alt_"), 5, 3 * 10**9, 0, "a/b")


@pytest.mark.parametrize("how", ["HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"])
def test_the_shared_hugging_face_cache_is_only_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    below = {
        "HF_HUB_CACHE": "",
        "HF_HOME": "hub",
        "XDG_CACHE_HOME": "huggingface/hub",
        "HOME": ".cache/huggingface/hub",
    }
    for name in below:
        if name != "HOME":
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(how, str(tmp_path))
    monkeypatch.setenv("OCR_MODEL_DIR", str(tmp_path / below[how]))
    assert model_settings(tmp_path).prune == "report"
    monkeypatch.setenv("OCR_PRUNE", "trash")
    assert model_settings(tmp_path).prune == "trash"
