"""Pulling a model from the hub into the directory, through huggingface_hub.

huggingface_hub goes on with a model file by file, but begins a file anew after an interruption. Large files are
therefore fetched here first, with its own functions, into a partial file that the next pull goes on with; those that
it keeps in Xet storage are left to it.
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

_LARGE = 1_000_000  # bytes, from which on going on with a file is worth it
_PARTIAL = ".ocr-queue.incomplete"
_AGAIN = "what has come so far stays, and the next pull goes on with it"
_SHA256_LETTERS = 64


def pull(paths: DirectoryPaths, name: str, revision: str, now: float) -> Found:
    """Fetch a model (of one revision, else of the branch main), and check all of it.

    Raises InvalidOptions for a name that cannot be one, ModelUnavailable where the hub has no such model or cannot be
    reached (`model_missing`) or what came is damaged (`model_broken`), ModelDirectoryError.
    """
    if any(found.kind == Kind.FOLDER for found in find(paths.root, name)):
        raise ModelUnavailable(f"{name} is a folder in {paths.root}, not from the hub: it cannot be pulled")
    with locked(paths.lock_file(pull_key(name))) as ours:
        if not ours:
            raise ModelDirectoryError(f"another process is pulling {name}: wait until it is done")
        with _told(name):
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
    (top / "snapshots" / commit).mkdir(parents=True, exist_ok=True)  # from now on an audit sees it, as not complete
    _need_space(paths.root, top, info)
    for file in info.siblings or []:
        if (file.size or 0) >= _LARGE and file.lfs and not (top / "snapshots" / commit / file.rfilename).exists():
            _fetch(top / "blobs", name, commit, file)
    path = Path(snapshot_download(name, revision=revision or None, cache_dir=paths.root))
    found = Found(name, path.name, Kind.CACHE, path, top)
    model = _mended(paths, look(paths, found, now, Budget(0)), now)
    if model.condition.damage:
        raise ModelUnavailable(
            f"the model {name} came damaged: {model.condition.damage[0]}; pull it again", "model_broken"
        )
    return found


def _fetch(blobs: Path, name: str, commit: str, file: "RepoSibling") -> None:
    """Fetch one large file into its blob, from where an earlier pull stopped."""
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
        raise ModelUnavailable(f"{name}: {file.rfilename} came damaged: pull it again", "model_broken")
    partial.chmod(plain_mode())
    partial.rename(blob)


def _mended(paths: DirectoryPaths, model: Surveyed, now: float) -> Surveyed:
    """Fetch the files again that were there before, and are damaged."""
    from huggingface_hub import hf_hub_download

    found = model.found
    wrong = _damaged(model)
    for name in wrong:
        hf_hub_download(found.name, name, revision=found.revision, cache_dir=paths.root, force_download=True)
    return look(paths, found, now, Budget(0)) if wrong else model


def _damaged(model: Surveyed) -> Sequence[str]:
    said = {problem.partition(": ")[0] for problem in model.condition.damage}
    return [file.name for file in model.files if file.name in said]


def _need_space(root: Path, top: Path, info: "ModelInfo") -> None:
    """Say at the start that a model does not fit, rather than when the disk is full."""
    there = {path.name for path in (top / "blobs").glob("*")}
    missing = [f for f in info.siblings or [] if (f.lfs.sha256 if f.lfs else f.blob_id) not in there]
    partial = sum(path.stat().st_size for path in (top / "blobs").glob(f"*{_PARTIAL}"))
    need, free = sum(file.size or 0 for file in missing) - partial, shutil.disk_usage(root).free
    if need > free:
        raise ModelDirectoryError(
            f"{info.id} needs {need / 1e9:.1f} GB more, and the disk of {root} has {free / 1e9:.1f} GB free: make room"
        )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong between here and the hub, each with what to do."""
    from huggingface_hub import constants, errors

    try:
        yield
    except (ModelUnavailable, ModelDirectoryError):
        raise
    except errors.HFValidationError as e:
        raise InvalidOptions(f"{name!r} is no name of a model on the hub: give it as organisation/model") from e
    except errors.GatedRepoError as e:
        raise ModelUnavailable(
            f"{name} is for those who accepted its terms: do so on {constants.ENDPOINT}/{name}, then set HF_TOKEN"
        ) from e
    except errors.RepositoryNotFoundError as e:
        raise ModelUnavailable(
            f"{constants.ENDPOINT} has no model {name}: look at the name; a private one needs HF_TOKEN"
        ) from e
    except errors.RevisionNotFoundError as e:
        raise ModelUnavailable(
            f"{name} has no such revision on {constants.ENDPOINT}: look at what follows the @"
        ) from e
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise ModelDirectoryError(f"{e.filename or name}: {e.strerror}: mend that; {_AGAIN}") from e
        raise _unreachable(constants.ENDPOINT, e) from e
    except Exception as e:
        if type(e).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore"):
            raise _unreachable(constants.ENDPOINT, e) from e
        raise


def _unreachable(endpoint: str, error: Exception) -> ModelUnavailable:
    why = " ".join(str(error).split())[:160] or type(error).__name__
    return ModelUnavailable(
        f"the hub {endpoint} cannot be reached, or broke off ({why}): look at the network, HF_ENDPOINT and "
        f"HF_HUB_OFFLINE; {_AGAIN}"
    )
