"""API keys: a file with their hashes, names, rights and limits, which is read again when it changes.

A key has 32 random bytes, so one SHA-256 protects it as well as a slow hash would.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any

from ocrqueue.errors import OcrError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PREFIX = "ocr_"  # of every key, so that people and secret scanners recognise one


class Right(StrEnum):
    """What a key allows."""

    SUBMIT = "submit"  # submit documents
    READ = "read"  # see, cancel, retry and drop the jobs that the key submitted
    READ_ALL = "read-all"  # see the jobs of all keys, and of other clients
    OPERATE = "operate"  # change the jobs of all keys, unload models, repeat deliveries


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or the caller without a key where none is asked for."""

    name: str  # "" for the caller without a key
    rights: frozenset[Right]
    requests: int | None = None  # allowed per minute; None: any number
    open_pages: int | None = None  # allowed at a time, of all its jobs; None: any number
    created: float = 0.0  # seconds since 1970
    hash: str = ""  # SHA-256 of the key, hexadecimal

    def may(self, right: Right) -> bool:
        """Whether the key has a right. A right to all jobs includes that to its own."""
        wider = {Right.READ: {Right.READ_ALL, Right.OPERATE}, Right.READ_ALL: {Right.OPERATE}}
        return right in self.rights or bool(wider.get(right, set()) & self.rights)

    def to_json(self) -> dict[str, Any]:
        """The fields for the file; `parse` reads them."""
        return {**asdict(self), "rights": sorted(self.rights)}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Key":
        """The key of an object of the file. Raises KeyError, TypeError or ValueError if it is damaged."""
        return cls(**{**values, "rights": frozenset(Right(right) for right in values["rights"])})


ANYONE = Key("", frozenset(Right))  # the caller of a service without keys


class KeysError(OcrError):
    """The file of keys cannot be used, or a key cannot be added or removed."""

    code = "invalid_options"


class KeysUnreadable(KeysError):
    """The file of keys cannot be read, so nobody is admitted."""

    code = "storage_error"


class Keys:
    """The keys of a file. The file is read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path  # of the file
        self._lock = Lock()
        self._seen: tuple[int, int, int] | None = None  # inode, size and time of the file that was read
        self._keys: tuple[Key, ...] = ()
        self._was_there = False  # the file

    @property
    def are_required(self) -> bool:
        """Whether a request needs a key: the file exists, even if it has no key left, or has been there.

        So the service does not open itself to everybody when the folder of the file is away for a while.
        """
        if not self._was_there:
            try:
                self.path.stat()
            except FileNotFoundError:
                return False
            except OSError:  # whether it exists is not known
                return True
            self._was_there = True
        return True

    @property
    def are_readable(self) -> bool:
        """Whether requests with a key can be admitted."""
        try:
            self.all()
        except KeysUnreadable:
            return False
        return True

    def find(self, given: str | None) -> Key | None:
        """The key with this text; ANYONE if no key is required; None if it is wrong or missing.

        All keys are compared, each in constant time. Raises KeysUnreadable.
        """
        if not self.are_required:
            return ANYONE
        hashed = _hash(given or "")
        found = None
        for key in self.all():
            if hmac.compare_digest(key.hash, hashed):
                found = key
        return found

    def hashed(self, hash: str) -> Key | None:
        """The key with this hash; None if there is none. Raises KeysUnreadable."""
        return next((key for key in self.all() if key.hash == hash), None)

    def admits(self, key: Key) -> bool:
        """Whether a key that was found earlier is still one. Raises KeysUnreadable."""
        return self.hashed(key.hash) is not None if key.hash else not self.are_required

    def all(self) -> tuple[Key, ...]:
        """Every key, oldest first; none if there is no file. Raises KeysUnreadable if it is damaged, or gone."""
        with self._lock:
            try:
                stat = self.path.stat()
            except OSError as e:
                if isinstance(e, FileNotFoundError) and not self._was_there:
                    return ()
                raise self._unreadable(e) from e
            self._was_there = True
            seen = stat.st_ino, stat.st_size, stat.st_mtime_ns
            if seen != self._seen:
                self._keys, self._seen = self._read(), seen
            return self._keys

    def _read(self) -> tuple[Key, ...]:
        try:
            return tuple(Key.parse(values) for values in json.loads(self.path.read_bytes())["keys"])
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise self._unreadable(e) from e

    def _unreadable(self, error: Exception) -> KeysUnreadable:
        if isinstance(error, FileNotFoundError):
            return KeysUnreadable(
                f"the file of API keys {self.path} is gone: restore it from a backup, make a key with `submit.py keys "
                "new`, or start `web` again, which then answers without keys"
            )
        if isinstance(error, PermissionError):
            return KeysUnreadable(
                f"the file of API keys {self.path} cannot be read by this user (permission denied): give it to the "
                f"user that runs `web`, such as by `chown USER {self.path}`"
            )
        return KeysUnreadable(
            f"the file of API keys {self.path} cannot be read ({type(error).__name__}): "
            "restore it from a backup, or remove it and make new keys with `submit.py keys new`"
        )

    def add(self, key: Key) -> str:
        """Add a key and return its text, which is stored nowhere. Raises KeysError if the name is taken or wrong."""
        if not _NAME.fullmatch(key.name):
            raise KeysError(f"{key.name!r} cannot be the name of a key: use letters, digits and . _ -, at most 64")
        secret = PREFIX + secrets.token_urlsafe(32)
        with self._changing() as keys:
            if any(known.name == key.name for known in keys):
                raise KeysError(f"there is a key {key.name!r} already: revoke it first, or use another name")
            keys.append(replace(key, hash=_hash(secret), created=time.time()))
        return secret

    def revoke(self, name: str) -> None:
        """Remove a key. Raises KeysError if no key has this name."""
        with self._changing() as keys:
            if not any(key.name == name for key in keys):
                raise KeysError(f"there is no key {name!r}: `submit.py keys list` shows them")
            keys[:] = [key for key in keys if key.name != name]

    @contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """The keys, to be changed in place. The file is replaced at the end; other processes wait meanwhile.

        Root gives the file to the owner of the one before, or else of the folder: the user that runs `web` reads it.
        Raises KeysError.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                self._give(lock.fileno())
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = list(self.all())
                yield keys
                with NamedTemporaryFile("w", dir=self.path.parent, prefix=".keys-", delete=False) as file:  # mode 0600
                    self._give(file.fileno())
                    json.dump({"version": 1, "keys": [key.to_json() for key in keys]}, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                Path(file.name).replace(self.path)
        except OSError as e:
            raise KeysError(
                f"the file of API keys {self.path} cannot be changed ({e.strerror}): run this as the user that runs "
                f"`web`, or give that user {e.filename or self.path.parent}",
                "storage_error",
            ) from e

    def _give(self, file: int) -> None:
        if os.geteuid() == 0:
            owned = (self.path if self.path.exists() else self.path.parent).stat()
            os.fchown(file, owned.st_uid, owned.st_gid)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
