"""Pulling a model from the Hugging Face hub into the directory, with huggingface_hub.

After an interruption huggingface_hub skips complete files, but downloads an incomplete file from its beginning.
Therefore this module downloads large files first, with functions of huggingface_hub, into a partial file that the next
pull continues. Files in Xet storage are left to huggingface_hub.
"""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ocrqueue.errors import InvalidOptions, ModelDirectoryError, ModelUnavailable
from ocrqueue.models.files.atomic import plain_mode
from ocrqueue.models.files.catalogue import Found, Kind, find, repository_folder
from ocrqueue.models.files.hashes import Budget, file_hash
from ocrqueue.models.files.locks import locked, pull_key
from ocrqueue.models.files.paths import DirectoryPaths
from ocrqueue.models.files.stamps import write_stamp
from ocrqueue.models.files.survey import Surveyed, look

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

_LARGE = 1_000_000  # bytes; smaller files are downloaded again from their beginning
_PARTIAL = ".ocr-queue.incomplete"  # the name of a partial file ends in this
_AGAIN = "the partial download is kept, and the next pull continues it"
_SHA256_LETTERS = 64  # hexadecimal digits


def pull(paths: DirectoryPaths, name: str, revision: str, now: float) -> Found:
    """Download a revision of a model (if empty: the branch main), and check its files. `now`: seconds since 1970.

    Raises InvalidOptions if the name is invalid; ModelUnavailable if the hub has no such model or cannot be reached
    (`model_missing`), or the downloaded files are damaged (`model_broken`); ModelDirectoryError if the directory
    cannot be written or another process pulls the model.
    """
    if any(found.kind == Kind.FOLDER for found in find(paths.root, name)):
        raise ModelUnavailable(f"{name} is a folder in {paths.root}, not a model of the hub: it cannot be pulled")
    with locked(paths.lock_file(pull_key(name))) as ours:
        if not ours:
            raise ModelDirectoryError(f"another process pulls {name}: try again when it is done")
        with _errors_of(name):
            return _pull(paths, name, revision, now)


def _pull(paths: DirectoryPaths, name: str, revision: str, now: float) -> Found:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined] # public, and not in a list

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        disable_progress_bars()
    info = HfApi().model_info(name, revision=revision or None, files_metadata=True)
    top = paths.root / repository_folder(name)
    commit = str(info.sha)
    write_stamp(paths, f"{name}@{commit}", pulled=now)
    (top / "snapshots" / commit).mkdir(
        parents=True, exist_ok=True
    )  # from now on an audit shows the model as incomplete
    _need_space(paths.root, top, info)
    for file in info.siblings or []:
        if (file.size or 0) >= _LARGE and file.lfs and not (top / "snapshots" / commit / file.rfilename).exists():
            _fetch(top / "blobs", name, commit, file)
    path = Path(snapshot_download(name, revision=revision or None, cache_dir=paths.root))
    found = Found(name, path.name, Kind.CACHE, path, top)
    model = _repaired(paths, look(paths, found, now, Budget(0)), now)
    if model.condition.damage:
        raise ModelUnavailable(
            f"the model {name} is damaged after the download: {model.condition.damage[0]}; pull it again",
            "model_broken",
        )
    return found


def _fetch(blobs: Path, name: str, commit: str, file: "RepoSibling") -> None:
    """Download one large file into its blob, and continue a partial file of an earlier pull."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # public, and not in a list

    url = hf_hub_url(name, file.rfilename, revision=commit)
    about = get_hf_file_metadata(url)
    etag = about.etag or ""
    blob, partial = blobs / etag, blobs / f"{etag}{_PARTIAL}"
    if about.xet_file_data is not None or len(etag) != _SHA256_LETTERS or os.path.lexists(blob):
        return
    blobs.mkdir(parents=True, exist_ok=True)
    with partial.open("ab") as stream:
        at = stream.tell()
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        http_get(
            url, stream, resume_size=at, headers=headers, expected_size=about.size, displayed_filename=file.rfilename
        )
    if file_hash(str(partial), partial.stat().st_size, git=False) != etag:
        partial.unlink()
        raise ModelUnavailable(
            f"{name}: the downloaded file {file.rfilename} is damaged: pull it again", "model_broken"
        )
    partial.chmod(plain_mode())
    partial.rename(blob)


def _repaired(paths: DirectoryPaths, model: Surveyed, now: float) -> Surveyed:
    """Download damaged files again, which were in the directory before the pull; returns the new survey."""
    from huggingface_hub import hf_hub_download

    found = model.found
    wrong = _damaged(model)
    for name in wrong:
        hf_hub_download(found.name, name, revision=found.revision, cache_dir=paths.root, force_download=True)
    return look(paths, found, now, Budget(0)) if wrong else model


def _damaged(model: Surveyed) -> Sequence[str]:
    """The names of the damaged files. Each problem begins with the name of its file."""
    named = {problem.partition(": ")[0] for problem in model.condition.damage}
    return [file.name for file in model.files if file.name in named]


def _need_space(root: Path, top: Path, info: "ModelInfo") -> None:
    """Check before the download that the disk has room for the model. Raises ModelDirectoryError if it has not."""
    present = {path.name for path in (top / "blobs").glob("*")}
    missing = [f for f in info.siblings or [] if (f.lfs.sha256 if f.lfs else f.blob_id) not in present]
    partial = sum(path.stat().st_size for path in (top / "blobs").glob(f"*{_PARTIAL}"))
    need, free = sum(file.size or 0 for file in missing) - partial, shutil.disk_usage(root).free
    if need > free:
        raise ModelDirectoryError(
            f"{info.id} needs {need / 1e9:.1f} GB more, but the disk of {root} has {free / 1e9:.1f} GB free: make room"
        )


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Convert errors of the download to errors of OCR Queue, whose messages say what to do."""
    try:
        from huggingface_hub import constants, errors
    except ImportError as e:
        raise ModelUnavailable(
            "pulling needs the package huggingface_hub: pull where workers run, or `pip install huggingface_hub`"
        ) from e
    try:
        yield
    except (ModelUnavailable, ModelDirectoryError):
        raise
    except errors.HFValidationError as e:
        raise InvalidOptions(f"{name!r} is not a valid model name: write it as organisation/model") from e
    except errors.GatedRepoError as e:
        raise ModelUnavailable(
            f"{name} requires that you accept its terms: accept them on {constants.ENDPOINT}/{name}, then set HF_TOKEN"
        ) from e
    except errors.RepositoryNotFoundError as e:
        raise ModelUnavailable(
            f"{constants.ENDPOINT} has no model {name}: check the name; a private model needs HF_TOKEN"
        ) from e
    except errors.RevisionNotFoundError as e:
        raise ModelUnavailable(
            f"{name} has no such revision on {constants.ENDPOINT}: check the revision after the @"
        ) from e
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise ModelDirectoryError(f"{e.filename or name}: {e.strerror}: correct this; {_AGAIN}") from e
        raise _unreachable(constants.ENDPOINT, e) from e
    except Exception as e:
        if type(e).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore"):
            raise _unreachable(constants.ENDPOINT, e) from e
        raise


def _unreachable(endpoint: str, error: Exception) -> ModelUnavailable:
    why = " ".join(str(error).split())[:160] or type(error).__name__
    return ModelUnavailable(
        f"the hub {endpoint} cannot be reached, or the connection broke ({why}): check the network, HF_ENDPOINT and "
        f"HF_HUB_OFFLINE; {_AGAIN}"
    )
