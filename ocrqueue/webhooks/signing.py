"""The secrets and signatures of webhooks, as Standard Webhooks 1.0.0 defines them."""

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret


def keys_of(secrets: str) -> list[bytes]:
    """The keys of one secret, or of several separated by blanks. Raises ValueError if one is malformed."""
    found = [_key(secret) for secret in secrets.split()]
    if not found:
        raise ValueError("it is empty")
    return found


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError(f"it does not begin with {_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as e:
        raise ValueError(f"what follows {_PREFIX} is not base64") from e
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"it has {len(key)} bytes, not {_SHORTEST} to {_LONGEST}")
    return key


def signed(secrets: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery. With several secrets it has a signature of each, so that a secret can be changed.

    `timestamp` is in seconds since 1970. Raises ValueError if a secret is malformed.
    """
    content = f"{id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys_of(secrets))
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
