import json

import pytest

from ocrqueue.cli import main
from ocrqueue.cli.report import FAILED, USAGE


@pytest.fixture(autouse=True)
def _data(tmp_path, monkeypatch):
    monkeypatch.setenv("OCR_DATA_DIR", str(tmp_path))


def test_a_key_is_printed_once_and_listed_without_its_hash(capsys):
    assert main(["keys", "new", "invoices", "--right", "submit", "--requests", "60"]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("ocr_")
    assert main(["keys", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["rights"], listed["requests"]) == ("invoices", ["submit"], 60)
    assert secret not in str(listed)
    assert "hash" not in listed


def test_a_key_without_rights_may_submit_and_read(capsys):
    main(["keys", "new", "a"])
    main(["keys", "list"])
    assert "a  read,submit  made on" in capsys.readouterr().out


def test_a_revoked_key_is_gone_and_an_unknown_name_is_an_error(capsys):
    main(["keys", "new", "a"])
    assert main(["keys", "revoke", "a"]) == 0
    assert main(["keys", "revoke", "a"]) in (USAGE, FAILED)
    assert "there is no key 'a'" in capsys.readouterr().err
