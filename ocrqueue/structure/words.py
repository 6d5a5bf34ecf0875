"""What texts look like: numbers of headings, words of captions, marks of notes, ends of sentences."""

import re

_ENDS = frozenset(".!?:;…。！？：；؟۔।")  # end a sentence
_CLOSERS = "\"'’”»)]）」』 "  # may follow the end of a sentence
_NOTE_AT_END = re.compile(r"(?<=[.!?:;…”»])(\d{1,3}|[*†‡]{1,3})$|[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}$")
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
_NUMBERS = re.compile(r"\d{1,4}(?:\s+\d{1,4}){4,}")
_NOTE_LENGTH, _NOTE_WORDS = 25, 5  # characters and words of a note that looks like a running foot, at least
_NOTE_MARK = re.compile(
    r"(?:\(?(\d{1,3})[.)\]]?\s*(?=[^\W\d]|[\"'“„«(])|([*†‡§¶]{1,3}|\(?[¹²³⁴⁵⁶⁷⁸⁹⁰]{1,3}[)⁾]?)\s*(?=\w)|\[?([a-z])[)\]]\s*(?=\w))"
)
# What a reader may need: bank accounts, telephones, e-mail, numbers of taxes and registers, places with their code.
_NEEDED = re.compile(
    r"(?i)\b[a-z]{2}\d{2}(?:\s?[a-z0-9]{4}){2,7}\b"  # IBAN, ISO 13616
    r"|\b(?:iban|bic|swift|konto|kto|blz|account|acct|bank|banque|banco|banca|compte|cuenta|conto|sort\s?code)\b.*\d"
    r"|\b(?:tel|phone|telephone|telefon|téléphone|tél|teléfono|telefono|fax|mobile|mobil)\b.*\d{2}"
    r"|[\w.+-]+@[\w-]+\.\w"
    r"|\b(?:vat|ust|tva|iva|nip|nif|cif|siret|siren|ein|hrb|tax|steuer)\b.*\d"
    r"|\b(?-i:[A-Z]{1,2}\d[\dA-Z]?\s\d[A-Z]{2}|[A-Z]{2}\s\d{5}(?:-\d{4})?|(?!(?:19|20)\d\d\s)\d{4,5}\s[A-Z][a-zß-ÿ]{2,})\b"
)
# What stands at the edge of pages only: who owns the text, and where the copy comes from.
_OF_THE_COPY = re.compile(
    r"(?i)\b(?:down\s?loaded|retrieved|accessed|printed)\s+(?:from|by|on|at)\b|\bthis content downloaded\b"
    r"|©|\bcopyright\b|\ball rights reserved\b|\blicensed to\b|\bauthorized licensed use\b"
    r"|\bprovided by\b.*\b(?:library|on)\b"
)


def is_needed(text: str) -> bool:
    """Whether a text has what a reader may need, such as a bank account, a telephone number or an address."""
    return _NEEDED.search(text) is not None


def is_of_the_copy(text: str) -> bool:
    """Whether a text says who owns a document or where a copy comes from, such as "Downloaded from example.org"."""
    return _OF_THE_COPY.search(text) is not None


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


def are_line_numbers(text: str) -> bool:
    """Whether a text is nothing but several numbers, as those of the lines of a page are."""
    return _NUMBERS.fullmatch(text) is not None


def note_mark(text: str) -> re.Match[str] | None:
    """The mark at the beginning of a note: a number, a symbol, or a letter with a bracket."""
    return _NOTE_MARK.match(text)


def is_long(text: str) -> bool:
    """Whether a text is longer than running feet are, as notes are."""
    return len(text) > _NOTE_LENGTH and len(text.split()) >= _NOTE_WORDS


def key(text: str) -> str:
    """Letters and digits alone, without case: what texts are compared by."""
    return re.sub(r"[\W_]+", "", text).casefold()
