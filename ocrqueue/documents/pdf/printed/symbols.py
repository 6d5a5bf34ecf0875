"""Symbol fonts: which characters their glyphs show.

PDF files name the glyphs of such fonts by codes of the font alone: as they are ("4"), or in the private area of Unicode
(U+F034). MuPDF takes a code for a character, and the number in a glyph's name ("a20") for its code.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ocrqueue.documents.pdf.mupdf import mupdf
from ocrqueue.documents.pdf.painting import glyphs_on, place_of

_PRIVATE = 0xF000  # codes of symbol fonts of TrueType begin here
_LAST = 0xFF  # code of a simple font
_UNKNOWN = "\ufffd"
_NUMBERED = re.compile(r"a(\d{1,3})")  # the name of a glyph of ZapfDingbats


def _codes(first: int, chars: str) -> dict[int, str]:
    """Characters by their codes, the first of which is given; U+0000 stands for none."""
    return {code: char for code, char in enumerate(chars, first) if char != "\x00"}


_SYMBOL = (
    _codes(0x21, "!∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼")
    | _codes(0xA0, "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓")
    | _codes(0xE0, "◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪\x00〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭")
)
_ZAPF = (
    _codes(0x21, "✁✂✃✄☎✆✇✈✉☛☞✌✍✎✏✐✑✒✓✔✕✖✗✘✙✚✛✜✝✞✟✠✡✢✣✤✥✦✧★✩✪✫✬✭✮✯✰✱✲✳✴✵✶✷✸✹✺✻✼✽✾✿❀❁❂❃❄❅❆❇❈❉❊❋●❍■❏❐❑❒▲▼◆❖◗❘❙❚❛❜❝❞")
    | _codes(0x80, "❨❩❪❫❬❭❮❯❰❱❲❳❴❵")
    | _codes(0xA1, "❡❢❣❤❥❦❧♣♦♥♠①②③④⑤⑥⑦⑧⑨⑩❶❷❸❹❺❻❼❽❾❿➀➁➂➃➄➅➆➇➈➉➊➋➌➍➎➏➐➑➒➓➔→↔↕➘➙➚➛➜➝➞➟➠➡➢➣➤➥➦➧➨➩➪➫➬➭➮➯\x00➱➲➳➴➵➶➷➸➹➺➻➼➽➾")
)
# The numbers of its glyphs, in the order of their codes.
_ZAPF_NUMBERS = (
    "1 2 202 3 4 5 119 118 117 11 12 13 14 15 16 105 17 18 19 20 21 22 23 24 25 26 27 28 6 7 8 9 10 29 30 31 32 33 34 "
    "35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 "
    "72 73 74 203 75 204 76 77 78 79 81 82 83 84 97 98 99 100 89 90 93 94 91 92 205 85 206 86 87 88 95 96 101 102 103 "
    "104 106 107 108 112 111 110 109 120 121 122 123 124 125 126 127 128 129 130 131 132 133 134 135 136 137 138 139 "
    "140 141 142 143 144 145 146 147 148 149 150 151 152 153 154 155 156 157 158 159 160 161 163 164 196 165 192 166 "
    "167 168 169 170 171 172 173 162 174 175 176 177 178 179 193 180 199 181 200 182 201 183 184 197 185 194 198 186 "
    "195 187 188 189 190 191"
)
_BY_NUMBER = dict(
    zip(map(int, _ZAPF_NUMBERS.split()), sorted(_ZAPF), strict=True)
)  # the code of a glyph by the number in its name
# Light and heavy arrows and boxes are the same here: characters that fonts have, and readers know.
_WINGDINGS = (
    _codes(
        0x21, "✎✂✁👓🔔📖🕯☎✆✉📨📪📫📬📭📁📂📄🗏🗐🗄⌛⌨🖰🖲🖳🖴🖫🖬✇✍✎✌👌👍👎☜☞☝☟🖐☺😐☹💣☠🏳🏱✈☼💧❄✝✞🕈✠✡☪☯ॐ☸♈♉♊♋♌♍♎♏♐♑♒♓"
    )
    | _codes(0x6A, "🙰🙵●❍■□❐❑❒⬧⧫◆❖⬥⌧⮹⌘❀✿❝❞")
    | _codes(0x80, "⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿")
    | _codes(0x9E, "·•▪○◯◯◉◎◯▪◻🟂✦★✶✴✹✵⯐⌖⟡⌑⯑✪✰🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛")
    | _codes(0xD5, "⌫⌦◄➢▲▼⮈⮊⮉⮋←→↑↓↖↗↙↘🡸➔🡹🡻🡼🡽🡿🡾⇦⇨⇧⇩⬄⇳⬁⬀⬃⬂▭▫✘✔☒☑")
)
_WINGDINGS_2 = _codes(0x4F, "✗✓☒☑☒☒") | _codes(0x96, "•●●") | {0xA0: "■", 0xA2: "◻", 0xA3: "□"}
_WINGDINGS_3 = _codes(0x66, "←→↑↓↖↗↙↘") | _codes(0x70, "▲▼△▽◀▶◁▷") | {0x7C: "◀", 0x7D: "▶"}
_WEBDINGS = _codes(0x33, "◀▶▲▼") | {0x61: "✔", 0x63: "□", 0x67: "■", 0x69: "ℹ", 0x6E: "●", 0x72: "✖"}
_FONTS: Sequence[tuple[re.Pattern[str], Mapping[int, str]]] = [
    (re.compile(rf"(?:{name})(?![a-z])", re.IGNORECASE), codes)
    for name, codes in (
        ("symbol(?:mt|ps|std|set)?", _SYMBOL),
        (r"(?:itc)?zapf ?dingbats(?:std|itc)?|dingbats|monotype ?sorts", _ZAPF),
        ("wingdings ?2", _WINGDINGS_2),
        ("wingdings ?3", _WINGDINGS_3),
        ("wingdings", _WINGDINGS),
        ("webdings", _WEBDINGS),
    )
]


@lru_cache(256)
def _table(font: str) -> Mapping[int, str] | None:
    """The characters of a symbol font by their codes; None for other fonts."""
    return next((codes for name, codes in _FONTS if name.match(font)), None)


def put_symbols(spans: Iterable[dict[str, Any]], stext: Any, displayed: Any) -> bool:
    """Put the characters that symbol fonts show in the place of their codes; return whether there are any.

    `spans` are those of PyMuPDF's `rawdict`. U+FFFD stands for a code whose character is not known. `stext` and
    `displayed` are the page, as text and as a display list.
    """
    glyphs: _Glyphs | None = None
    has_any = False
    for span in spans:
        table = _table(span["font"])
        if table is None:  # as for nearly all
            continue
        has_any, known = True, set(table.values())
        for char in span["chars"]:
            code = _code(char["c"])
            if code is None or char["c"].isspace() or (char["c"] in known and not char["c"].isascii()):
                continue
            if table is _ZAPF and code < min(_ZAPF):
                code = _BY_NUMBER.get(code, code)
            elif table is _ZAPF and code < _PRIVATE:
                glyphs = glyphs or _Glyphs(stext, displayed)
                code = glyphs.code(code, span["font"], char["origin"])
            char["c"] = table.get(code % _PRIVATE, _UNKNOWN)
    return has_any


def _code(char: str) -> int | None:
    """The code that a character stands for in a symbol font; None for a character that it shows."""
    if ord(char) <= _LAST or _PRIVATE <= ord(char) <= _PRIVATE + _LAST:
        return ord(char)
    try:
        return char.encode("cp1252")[0]
    except UnicodeEncodeError:
        return None


class _Glyphs:
    """The names of the glyphs on a page, by where they stand."""

    def __init__(self, stext: Any, displayed: Any) -> None:
        self._numbers = glyphs_on(displayed)
        self._fonts = _fonts_of(stext)

    def code(self, value: int, font: str, origin: tuple[float, float]) -> int:
        """The code of a glyph of ZapfDingbats, which MuPDF takes for its name's number (or its code) `value`."""
        number = self._numbers.get(place_of(origin))
        for one in self._fonts:
            name = number is not None and one.name.endswith(font) and mupdf.ll_fz_get_glyph_name2(one, number)
            match = _NUMBERED.fullmatch(name or "")
            code = _BY_NUMBER.get(int(match[1])) if match else None
            if match and code is not None and value in (int(match[1]), code):
                return code
        return value if value in _ZAPF else _BY_NUMBER.get(value, value)


def _fonts_of(stext: Any) -> list[Any]:
    """The fonts of the characters of a page, as MuPDF's `fz_font`."""
    fonts: dict[int, Any] = {}  # by address: each look makes another object of Python
    for block in stext.this:
        if block.m_internal.type == mupdf.FZ_STEXT_BLOCK_TEXT:
            for line in block:
                char = line.m_internal.first_char
                while char:
                    fonts[int(char.font.this)] = char.font
                    char = char.next
    return list(fonts.values())
