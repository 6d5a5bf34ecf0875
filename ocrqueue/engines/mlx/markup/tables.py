"""Tables in the notations of models."""

import re


def otsl(body: str) -> str:
    """A table in OTSL (Lysak and others, 2023) as Markdown.

    `<fcel>` is a cell, `<ecel>` an empty cell, `<ched>` and `<rhed>` are headers, `<lcel>`, `<ucel>` and `<xcel>`
    continue a cell, and `<nl>` ends a row. Continued cells become empty cells.
    """
    caption = re.search(r"<caption>(.*?)</caption>", body, re.DOTALL)
    body = re.sub(r"<caption>.*?</caption>", "", body, flags=re.DOTALL)
    rows = []
    for row in body.split("<nl>"):
        cells = re.findall(r"<(?:fcel|ecel|ched|rhed|srow|lcel|ucel|xcel)>([^<]*)", row)
        if cells:
            rows.append("| " + " | ".join(cell.strip().replace("|", r"\|") for cell in cells) + " |")
            if len(rows) == 1:
                rows.append("|" + " --- |" * len(cells))
    return "\n".join(([caption[1].strip(), ""] if caption else []) + rows)
