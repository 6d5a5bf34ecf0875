import json
import stat

import pytest

from ocrqueue.web.keys import ANYONE, Key, Keys, KeysError, Right


def key(name, *rights, **limits):
    return Key(name, frozenset(rights), **limits)


def test_without_a_file_no_key_is_asked_for(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    assert not keys.are_required
    assert keys.find(None) is ANYONE
    assert all(ANYONE.may(right) for right in Right)


def test_a_key_is_found_by_its_text_and_by_nothing_else(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add(key("invoices", Right.SUBMIT, requests=5))
    found = keys.find(secret)
    assert found is not None
    assert (found.name, found.rights, found.requests) == ("invoices", {Right.SUBMIT}, 5)
    assert [keys.find(wrong) for wrong in (None, "", secret[:-1], secret + "x", "ocr_", found.hash)] == [None] * 6


def test_the_file_has_the_hash_only_and_is_private(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add(key("invoices", Right.READ))
    assert secret not in keys.path.read_text()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_another_process_sees_a_new_and_a_revoked_key_at_once(tmp_path):
    ours, theirs = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    first = ours.add(key("first", Right.READ))
    assert theirs.find(first) is not None
    second = ours.add(key("second", Right.READ))
    assert theirs.find(second) is not None
    ours.revoke("first")
    assert (theirs.find(first), [k.name for k in theirs.all()]) == (None, ["second"])


def test_requests_need_a_key_after_the_last_one_was_revoked(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    keys.add(key("only", Right.READ))
    keys.revoke("only")
    assert keys.are_required
    assert keys.find(None) is None


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "x" * 65, "-x"])
def test_a_name_that_is_not_allowed_is_refused(tmp_path, name):
    with pytest.raises(KeysError, match="cannot be the name"):
        Keys(tmp_path / "keys.json").add(key(name, Right.READ))


def test_a_name_is_used_once_and_only_known_names_are_revoked(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    keys.add(key("a", Right.READ))
    with pytest.raises(KeysError, match="already"):
        keys.add(key("a", Right.READ))
    with pytest.raises(KeysError, match="no key 'b'"):
        keys.revoke("b")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"keys": [1]}', '{"keys": [{"name": "a"}]}', '{"keys": [{"name": "a", "rights": ["x"]}]}'],
)
def test_a_damaged_file_is_an_error_and_admits_nobody(tmp_path, content):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeysError, match="cannot be read"):
        Keys(path).find("ocr_x")


def test_a_file_with_a_field_of_a_later_version_is_an_error(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    keys.add(key("a", Right.READ))
    content = json.loads(keys.path.read_text())
    content["keys"][0]["later"] = 1
    keys.path.write_text(json.dumps(content))
    with pytest.raises(KeysError):
        Keys(keys.path).all()


@pytest.mark.parametrize(
    ("rights", "may"),
    [
        ({Right.SUBMIT}, {Right.SUBMIT}),
        ({Right.READ}, {Right.READ}),
        ({Right.READ_ALL}, {Right.READ, Right.READ_ALL}),
        ({Right.OPERATE}, {Right.READ, Right.READ_ALL, Right.OPERATE}),
    ],
)
def test_a_right_to_all_jobs_includes_that_to_own_jobs(rights, may):
    assert {right for right in Right if key("a", *rights).may(right)} == may


def test_a_file_that_goes_away_admits_nobody(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add(key("a", Right.READ))
    assert keys.are_required
    keys.path.rename(tmp_path / "away")
    assert keys.are_required
    with pytest.raises(KeysError, match="is gone") as raised:
        keys.find(secret)
    assert raised.value.code == "storage_error"
    (tmp_path / "away").rename(keys.path)
    assert keys.find(secret) is not None


def test_a_folder_that_may_not_be_looked_into_admits_nobody(tmp_path):
    keys = Keys(tmp_path / "file" / "keys.json")
    keys.path.parent.write_text("no folder")
    assert keys.are_required
    with pytest.raises(KeysError, match="cannot be read"):
        keys.find(None)


def test_root_gives_the_file_to_the_user_who_had_it(tmp_path, monkeypatch):
    """Otherwise `web` could not read it any more, and would admit nobody."""
    given = []
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.fchown", lambda _, user, group: given.append((user, group)))
    keys = Keys(tmp_path / "keys.json")
    keys.add(key("first", Right.READ))
    owner = tmp_path.stat().st_uid, tmp_path.stat().st_gid
    assert given == [owner, owner], "the lock and the file"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    keys.revoke("first")
    assert len(given) == 2


def test_missing_rights_to_the_file_are_told_as_such(tmp_path, monkeypatch):
    keys = Keys(tmp_path / "keys.json")
    keys.add(key("first", Right.READ))

    def refused(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(tmp_path / "keys.lock"))

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.read_bytes", refused)
        with pytest.raises(KeysError, match=r"permission denied.*chown USER"):
            Keys(keys.path).all()
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.open", refused)
        with pytest.raises(KeysError, match=r"cannot be changed \(Permission denied\): run this as.*keys.lock"):
            keys.revoke("first")
