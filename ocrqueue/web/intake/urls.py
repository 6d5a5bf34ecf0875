"""URLs that callers send. Every route turns them into a source here, so that none can name a file of this machine."""

from ocrqueue.client.submission import UrlSource, is_url
from ocrqueue.errors import InvalidOptions
from ocrqueue.fetching.addresses import parse_url


def url_source(given: object, where: str) -> UrlSource:
    """The document at a caller's URL, which a worker downloads if its operator allows that.

    Raises InvalidOptions, which names the field `where`, for anything but an HTTP URL, and DocumentError for one that
    two programs could understand differently.
    """
    if not (isinstance(given, str) and is_url(given)):
        raise InvalidOptions(f"{where} must begin with http:// or https://")
    parse_url(given)
    return UrlSource(given)
