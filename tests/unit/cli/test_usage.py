"""Wrong usage is refused in one line, with exit code 2, before the command connects to Redis."""

from pathlib import Path

import pytest

from ocrqueue.cli import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without a server, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("OCR_DATA_DIR", str(tmp_path / "data"))
    for name in ("a.pdf", "a.png", "b.pdf"):
        Path(name).write_bytes(b"%PDF-1.7")
    Path("in", "deep").mkdir(parents=True)
    Path("in", "notes.txt").touch()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("ocr", "Missing argument"),
        ("ocr none.pdf", "no such file"),
        ("ocr a.pdf --frob", "No such option"),
        ("frob", "No such command"),
        ("ocr a.pdf -f frob", "no format 'frob'"),
        ("ocr a.pdf --pages 3-1", "end of a range"),
        ("ocr a.pdf --dpi 5000", "36 to 1200"),
        ("ocr a.pdf --dpi many", "not a valid integer"),
        ("ocr a.pdf --text-layer maybe", '"use" or "ignore"'),
        ("ocr a.pdf --priority urgent", '"high"'),
        ("ocr a.pdf --timeout -1", "--timeout"),
        ("ocr a.pdf --timeout nan", "not a number of seconds"),
        ("wait x --timeout nan", "not a number of seconds"),
        ("models unload --timeout nan", "not a number of seconds"),
        ("ocr a.pdf b.pdf --key k", "exactly one source"),
        ("ocr a.pdf a.png", "both be written to a.txt"),
        ("ocr a.pdf a.pdf", "both be written to"),
        ("ocr in", "contain no document"),
        ("ocr a.pdf --password-file none", "cannot be read"),
        ("ocr a.pdf -o b.pdf", "b.pdf has the ending of pdf, not of text: use -f pdf"),
        ("ocr a.pdf -f pdf -o a.pdf", "is the source"),
        ("ocr a.pdf -o new.md", "use -f markdown"),
        ("ocr a.pdf b.pdf -o new.txt", "one document in one format"),
        ("ocr in -o new.txt -r", "contain no document"),
        ("ocr a.pdf -f text -f json -o new.txt", "one document in one format"),
        ("ocr a.pdf b.pdf -o -", "one document in one format"),
        ("ocr a.pdf -o - --json", "both use standard output"),
        ("ocr a.pdf --no-wait -o out", "--no-wait exits before there is a result"),
        ("ocr a.pdf --no-wait --timeout 5", "submit.py result JOB -o FILE"),
        ("jobs --state odd", "odd"),
        ("result", "Missing argument"),
    ],
)
def test_wrong_usage(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    error = err.splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error
    assert not out
    assert not [path for path in Path().iterdir() if path.name.startswith(("new", "-"))]


def test_an_empty_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ocr", "a.pdf", "--key", "", "-o", "out"]) == 2
    assert "the key is empty: leave it out, or give a text" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_result_never_overwrites_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.txt").write_text("a source, whatever it is called")
    assert main(["ocr", "c.txt", "a.pdf"]) == 2
    assert "is a source" in capsys.readouterr().err
    assert Path("c.txt").read_text().startswith("a source")


def test_a_wrong_setting_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OCR_MAX_MB", "much")
    assert main(["jobs"]) == 2
    assert "OCR_MAX_MB='much'" in capsys.readouterr().err


def test_without_arguments_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "doctor" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["jobs", "dead", "ocr a.pdf", "status 6f1f3a52-0d0b-4a3e-9c55-1b8c6f0f6a10"])
def test_without_a_server_the_error_says_what_to_do(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "none.sock cannot be reached" in line
    assert all(way in line for way in ("make up", "REDIS_URL", "OCR_API_URL"))
    assert not Path("data").exists()


def test_without_a_server_and_settings_the_error_names_every_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL")
    assert main(["jobs"]) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert all(way in line for way in ("make up", "OCR_DATA_DIR", "REDIS_URL", "OCR_API_URL"))


@pytest.mark.parametrize("command", ["status", "wait", "result", "cancel", "retry", "drop"])
def test_an_invalid_id_is_an_unknown_job(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "../../etc"]) == 4
    assert "unknown_job" in capsys.readouterr().err


def test_doctor_reports_a_missing_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 4
    assert "wrong  Redis at" in capsys.readouterr().out
