"""The kind of a document, from its first bytes. File names and extensions are ignored: they may be wrong."""

HEAD = 1024 + 8  # bytes that `sniff` needs: a PDF may begin within the first 1,024

_STARTS = (  # first bytes of a file, and its kind
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),  # a raw codestream
)
# Brands of ISO/IEC 14496-12 files: AVIF 1.1, sections 6 and 8; ISO/IEC 23008-12 (HEIF), annex B.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_BMP_HEADERS = {
    12,
    16,
    40,
    52,
    56,
    64,
    108,
    124,
}  # bytes of the header that follows the file header, by version of the format


def sniff(head: bytes) -> str | None:
    """The kind of a document from its first `HEAD` bytes; None for unknown formats (ZIP, HTML, SVG, text, ...).

    Kinds: pdf png jpeg tiff webp gif bmp jpeg2000 avif heic.
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    return "pdf" if _is_pdf(head) else None


def _by_brand(head: bytes) -> str | None:
    """AVIF or HEIC, by major and compatible brands in the file type box (ISO/IEC 14496-12, 4.3); else None."""
    box = head[: int.from_bytes(head[:4], "big")]
    brands = {box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4))}
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heic" if brands & _HEIC_BRANDS else None


def _is_pdf(head: bytes) -> bool:
    """Whether a PDF begins within the first 1,024 bytes, as readers accept it. A ZIP with a PDF inside is not one."""
    return not head.startswith(b"PK\x03\x04") and b"%PDF" in head[: 1024 + 4]
