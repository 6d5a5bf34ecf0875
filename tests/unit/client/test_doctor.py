"""Findings of the doctor."""

from pathlib import Path

import pytest

from ocrqueue.client import doctor
from ocrqueue.engines.tesseract import engine
from ocrqueue.ledger.workers import Structure, Worker
from ocrqueue.process import blas
from ocrqueue.settings import SettingsError


@pytest.mark.parametrize(
    ("wanted", "installed", "model", "level", "hint"),
    [
        (True, True, "tiny", doctor.Level.OK, "MLX multiplies with /usr/lib/libopenblas.so.0"),
        (True, False, "tiny", doctor.Level.WARNING, "apt install libopenblas0"),
        (True, False, "", doctor.Level.NOTE, "apt install libopenblas0"),
        (False, False, "tiny", None, ""),
    ],
)
def test_the_doctor_names_the_blas_package_to_install(monkeypatch, tmp_path, wanted, installed, model, level, hint):
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("OCR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OCR_MODEL", model)
    monkeypatch.setattr(blas, "is_wanted", lambda: wanted)
    monkeypatch.setattr(blas, "find_blas", lambda: Path("/usr/lib/libopenblas.so.0") if installed else None)
    found = [(finding.level, finding.text) for finding in doctor.examine() if "MLX" in finding.text]
    assert [found_level for found_level, _ in found] == ([level] if level else [])
    assert all(hint in line for _, line in found)


def test_the_doctor_names_workers_without_layout_models() -> None:
    workers = [Worker("a", "here", 1, "1", (), structure=kind) for kind in (None, Structure.RULES, Structure.MODELS)]
    found = [(finding.level, finding.text) for finding in doctor._structure(workers)]
    assert [level for level, _ in found] == [doctor.Level.WARNING, doctor.Level.OK]
    assert "here (1) has no layout models" in found[0][1]
    assert not list(doctor._structure(workers[:1]))


@pytest.mark.parametrize(
    ("engines", "level", "text"),
    [
        (
            [{"rapidocr": "all"}, {"mlx-vlm": "poor"}],
            "ok",
            "mlx-vlm reads only pages that another engine has read poorly",
        ),
        ([{"mlx-vlm": "poor"}], "warn", "mlx-vlm reads all pages, although OCR_VLM_PAGES is poor"),
        ([{"rapidocr": "all", "mlx-vlm": "poor"}, {"mlx-vlm": "all"}], "warn", "not all of its workers"),
        ([{"rapidocr": "all"}, {"mlx-vlm": "all"}], None, ""),
    ],
)
def test_the_doctor_says_which_pages_a_vision_model_reads(engines, level, text) -> None:
    workers = [
        Worker("w", "here", 1, "1", (), {name: {"model": "m", "pages": pages} for name, pages in served.items()})
        for served in engines
    ]
    found = list(doctor._poor_pages(workers))
    assert [str(finding.level) for finding in found] == ([level] if level else [])
    assert all(text in finding.text for finding in found)


@pytest.mark.parametrize("given", ["xx", "ru+"])
def test_the_doctor_names_a_wrong_setting_of_tesseract(monkeypatch, given):
    monkeypatch.setenv("OCR_TESSERACT_LANG", given)
    monkeypatch.setattr(doctor, "installed", lambda _: "")  # workers refuse it also without tesserocr
    with pytest.raises(SettingsError, match=r"^OCR_TESSERACT_LANG='.*' is not allowed: .* such as de or ru\+en$"):
        list(doctor._tesseract())


@pytest.mark.parametrize(
    ("version", "files", "served", "hint"),
    [
        ("", [], "rapidocr", None),
        ("", [], "rapidocr,tesseract", "warn tesseract cannot be imported"),
        ("2.13.0", [], "", "warn tesseract has no language data in"),
        ("2.13.0", ["rus"], "", "warn tesseract has no data for en: apt install tesseract-ocr-eng"),
        ("2.13.0", ["rus", "eng"], "", "ok tesseract has data for en, ru"),
    ],
)
def test_the_doctor_names_the_language_data_to_install(monkeypatch, tmp_path, version, files, served, hint):
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("OCR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OCR_TESSDATA_DIR", str(tmp_path))
    monkeypatch.setenv("OCR_WORKER_ENGINES", served)
    monkeypatch.setattr(doctor, "installed", lambda _: version)
    monkeypatch.setattr(engine, "installed", lambda _: version)
    for file in files:
        (tmp_path / f"{file}.traineddata").write_bytes(b"")
    found = [f"{finding.level} {finding.text}" for finding in doctor.examine() if "tesseract" in finding.text]
    assert len(found) == (hint is not None)
    assert all(line.startswith(hint) for line in found)
