"""What texts look like: numbers of headings, words of captions, marks of notes, ends of sentences."""

import re

_ENDS = frozenset(".!?:;…。！？：；؟۔।")  # end a sentence
_CLOSERS = "\"'’”»)]）」』 "  # may follow the end of a sentence
_NOTE_AT_END = re.compile(r"(?<=[.!?:;…”»])(\d{1,3}|[*†‡]{1,3})$")
_DECIMAL = re.compile(r"(\d{1,3}(?:\.\d{1,3})+)\.?(?=\s|[^\W\d])|(\d{1,2})\.?\s+(?=[^\W\d])")
_CAPTION = re.compile(
    r"(?i)(table|tab\.|tabelle|tableau|tabla|tabel|cuadro|quadro|tabella|tabela|fig(?:ure|ura|uur|\.)|abb(?:ildung|\.)|ábra|"
    r"obr(?:ázek|\.)|ilustraci[óo]n|gr[áa]fico|chart|plate|schaubild|diagramm?e?|photo|foto|image|bild)"
    r"\s*(?:n[°o.]\s*)?(?:\d|(?<=\s)(?:[A-Z]|[IVXLC]+)\b|\S?[:.–—-])"
)  # fmt: skip
_PAGE_NUMBER = re.compile(
    r"(?i)\W*(?:(?:page|pag\.?|pagina|página|seite|s\.|p\.?|pg\.?|folio|f\.|n[°o.]|blatt|sida)\s*)?"
    r"(\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de|sur|di|av)\s*\d{1,4})?\W*"
)  # fmt: skip
_NOTE_LENGTH, _NOTE_WORDS = 25, 5  # characters and words of a note that looks like a running foot, at least
_NOTE_MARK = re.compile(
    r"(?:\(?(\d{1,3})[.)\]]?\s*(?=[^\W\d]|[\"'“„«(])|([*†‡§¶]{1,3}|[¹²³⁴⁵⁶⁷⁸⁹⁰]{1,3})\s*(?=\w)|\[?([a-z])[)\]]\s*(?=\w))"
)


def ends_sentence(text: str) -> bool:
    """Whether a text ends with the end of a sentence; the mark of a note may follow."""
    return _NOTE_AT_END.sub("", text.rstrip(_CLOSERS)).rstrip(_CLOSERS)[-1:] in _ENDS


def heading_number(text: str) -> int:
    """How many parts the number of a heading has: 3 for "1.2.1 Title"; 0 without a number."""
    match = _DECIMAL.match(text)
    return (match[1] or match[2]).count(".") + 1 if match else 0


def is_caption(text: str) -> bool:
    """Whether a text begins as the caption of a table or picture does: "Table 1"."""
    return _CAPTION.match(text) is not None


def is_page_number(text: str) -> bool:
    """Whether a text is nothing but the number of a page."""
    return _PAGE_NUMBER.fullmatch(text.strip()) is not None


def note_mark(text: str) -> re.Match[str] | None:
    """The mark at the beginning of a note: a number, a symbol, or a letter with a bracket."""
    return _NOTE_MARK.match(text)


def is_long(text: str) -> bool:
    """Whether a text is longer than running feet are, as notes are."""
    return len(text) > _NOTE_LENGTH and len(text.split()) >= _NOTE_WORDS


def key(text: str) -> str:
    """Letters and digits alone, without case: what texts are compared by."""
    return re.sub(r"[\W_]+", "", text).casefold()
