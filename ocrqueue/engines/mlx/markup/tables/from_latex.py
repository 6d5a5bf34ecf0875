r"""Reads LaTeX's `tabular`, as Nemotron Parse and GOT write tables.

Rows end with `\\`, cells with `&`. `\multicolumn{2}{c}{text}` spans columns. `\multirow{2}{*}{text}` spans rows, and
the places below it hold nothing. Rules are left out, and so are commands that change only the look of text.
"""

import re
from dataclasses import replace

from ocrqueue.engines.mlx.markup.tables.table import Cell, Rows, as_html

_LONGEST_SPAN = 100  # rows or columns; more than a page has
_NAME = r"(?:tabular[*xy]?|longtable)"
_BEGIN = re.compile(  # with place, width and format of columns
    rf"\\begin\{{{_NAME}\}}(?:\[\w\])?(?:\{{[\d.]*\\[a-z]*width\}})?"
    r"(?:\{[lcrpmbxXSLCRJYDPV|@!<>*\s.,:;=\d-]*(?:\{[^{}\n]*\}[lcrpmbxXSLCRJYDPV|@!<>*\s.,:;=\d-]*)*\})?"
)
_BREAK = r"\\\\\*?(?:\[-?[\d.]+\s?[a-z][a-z]\])?"  # with the distance to the next line
_TOKEN = re.compile(rf"(\\begin)\{{\w+\*?\}}|(\\end)\{{\w+\*?\}}|{_BREAK}|\\.|[{{}}&]", re.DOTALL)
_SPAN = re.compile(  # number, and the format or width
    r"\s*\\multi(column|row)\s*(?:\[\w*\])?\s*\{\s*(-?\d{1,4})\s*\}\s*"
    r"(?:\*|\{(?:[*=|@!<>\s\d.a-z-]|\{[^{}]*\}|\\[a-z])*\})\s*(?:\[[\w. -]*\]\s*)?"
)
_DROPPED = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead|endfoot|endlastfoot|centering|raggedright)(?![A-Za-z])"
    r"|\\(?:cline|cmidrule|rowcolor|cellcolor|addlinespace)\*?(?:\s*\([a-z]*\))?(?:\s*\[[\w. -]*\])?"
    r"(?:\s*\{[\w. !-]*\})?"
)
_FORMULA = re.compile(r"((?<!\\)\$[^$]*(?<!\\)\$|\\\((?:[^\\]|\\(?![()]))*\\\))", re.DOTALL)
_LOOK = r"\\(?:text(?:bf|it|rm|sf|tt|sc|up|normal)?|emph|underline|makecell|shortstack|mbox)\s*(?:\[\w*\])?\s*\{"
_BRACE = re.compile(rf"({_LOOK})|\\.|[{{}}]", re.DOTALL)
_ESCAPED = re.compile(r"\\([&%_#${}])")


def with_html_tables(content: str) -> str:
    """A text in which every `tabular` is a table of HTML, apart from the text around it. One may be cut."""
    pieces, end = [], 0
    while found := _BEGIN.search(content, end):
        rows, after = _read(content, found.end())
        pieces += [content[end : found.start()].strip(), as_html(rows)]
        end = after
    return "\n\n".join(piece for piece in [*pieces, content[end:].strip()] if piece) if pieces else content


def _read(content: str, start: int) -> tuple[Rows, int]:
    """The rows of the table whose first cell begins at `start`, and the position after its end."""
    rows: list[list[str]] = [[]]
    begin, last, after = start, len(content), len(content)  # of the open cell; of the last cell; of the table
    braces = inner = 0  # open braces and open environments inside the table
    for found in _TOKEN.finditer(content, start):
        part = found[0]
        if found[2] and not inner:
            last, after = found.span()
            break
        inner += bool(found[1]) - bool(found[2])
        braces = max(0, braces + (part == "{") - (part == "}"))
        if not inner and not braces and (part == "&" or part.startswith(r"\\")):
            rows[-1].append(content[begin : found.start()])
            begin = found.end()
            if part != "&":
                rows.append([])
    rows[-1].append(content[begin:last])
    cells = [[_cell(raw) for raw in row] for row in rows]
    return _spanned([row for row in cells if len(row) > 1 or row[0].text]), after


def _cell(raw: str) -> Cell:
    raw = _DROPPED.sub("", raw)
    spans = {"column": 1, "row": 1}
    for _ in spans:  # one may be inside the other
        if found := _SPAN.match(raw):
            spans[found[1]] = min(max(1, int(found[2])), _LONGEST_SPAN)
            raw = _without_first_braces(raw[found.end() :])
    return Cell(_text(raw), spans["column"], spans["row"])


def _text(raw: str) -> str:
    """The text of a cell. Formulas stay LaTeX; an inner table becomes lines."""
    parts = _FORMULA.split(raw)  # text, formula, text ...
    parts[::2] = (_ESCAPED.sub(r"\1", _lines(_without_braces(part))) for part in parts[::2])
    text = "".join(parts).strip()
    return text[2:-2] if len(text) > 4 and text.startswith("**") and text.endswith("**") else text


def _lines(text: str) -> str:
    text = re.sub(rf"\\end\{{{_NAME}\}}", "", _BEGIN.sub("", text))
    text = re.sub(rf"{_BREAK}|\\newline(?![A-Za-z])|<br\s*/?>", "\n", text)
    return re.sub(r"(?<!\\)[&~]", " ", text)


def _without_first_braces(text: str) -> str:
    """A text that begins with a brace, without this brace and the one that closes it. Other text is unchanged."""
    if not text.startswith("{"):
        return text
    depth = 0
    for found in _BRACE.finditer(text):
        depth += (found[0].endswith("{") and found[0] != r"\{") - (found[0] == "}")
        if not depth:
            return text[1 : found.start()] + text[found.end() :]
    return text[1:]


def _without_braces(text: str) -> str:
    """A text without the commands that change only its look, and without their braces."""
    pieces, end = [], 0
    opened: list[bool] = []  # whether each open brace is left out
    for found in _BRACE.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        is_open, is_close = found[0] == "{" or bool(found[1]), found[0] == "}"
        if is_open:
            opened.append(bool(found[1]))
        left_out = bool(found[1]) or (is_close and bool(opened) and opened.pop())
        pieces.append("" if left_out else found[0])
    return "".join([*pieces, text[end:]])


def _spanned(rows: list[list[Cell]]) -> Rows:
    """The rows without the empty cells below those that span rows. A cell spans no row that holds something there."""
    places: list[dict[int, Cell]] = []  # of each row: its cells by their first column
    widths = []
    for row in rows:
        place, column = {}, 0
        for cell in row:
            place[column] = cell
            column += cell.columns
        places.append(place)
        widths.append(column)
    for y, place in enumerate(places):
        for column, cell in place.items():
            if cell.rows > 1:
                below = range(y + 1, min(y + cell.rows, len(rows)))
                count = 1
                while count - 1 < len(below) and _take(
                    places[below[count - 1]], widths[below[count - 1]], column, cell
                ):
                    count += 1
                place[column] = replace(cell, rows=count)
    return [list(place.values()) for place in places]


def _take(place: dict[int, Cell], width: int, column: int, above: Cell) -> bool:
    """Whether a row holds nothing below a cell; if so, its empty cells there are removed."""
    if column >= width:
        return True
    empty, end = [], column
    while end < column + above.columns:
        cell = place.get(end)
        if cell is None or cell.text or cell.rows > 1:
            return False
        empty.append(end)
        end += cell.columns
    if end != column + above.columns:
        return False
    for start in empty:
        del place[start]
    return True
