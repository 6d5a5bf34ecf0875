"""The files that pages load. Their path has a hash of them all, so browsers keep them until one changes."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from ocrqueue.web.problems import ApiError

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = 365 * 86_400  # seconds
_LEVEL = 6  # of gzip
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load."""

    media_type: str
    content: bytes
    packed: bytes  # with gzip


def _load(folder: Path) -> Mapping[str, Asset]:
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
    return {
        name: Asset(_TYPES[Path(name).suffix], content, gzip.compress(content, _LEVEL, mtime=0))
        for name, content in contents.items()
    }


ASSETS = _load(Path(__file__).parent / "static")
VERSION = hashlib.sha256(b"\0".join(asset.content for asset in ASSETS.values())).hexdigest()[:12]


@router.get("/static/{version}/{name}")
async def asset(request: Request, version: str, name: str) -> Response:
    """A file of the web UI. Raises ApiError if there is none of this name."""
    found = ASSETS.get(name)
    if found is None:
        raise ApiError("not_found", f"the web UI has no file {name!r}")
    keep = f"public, max-age={_YEAR}, immutable" if version == VERSION else "no-cache"
    headers = {"Cache-Control": keep, "X-Content-Type-Options": "nosniff"}
    return packed(request, found.content, found.media_type, headers=headers, compressed=found.packed)


def packed(
    request: Request,
    content: bytes,
    media_type: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    compressed: bytes | None = None,
) -> Response:
    """An answer that is sent with gzip to browsers that take it, which matters on slow connections."""
    both = {**(headers or {}), "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(content, status, both, media_type)
    both["Content-Encoding"] = "gzip"
    return Response(compressed or gzip.compress(content, _LEVEL, mtime=0), status, both, media_type)
