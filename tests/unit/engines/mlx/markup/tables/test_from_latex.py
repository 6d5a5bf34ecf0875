r"""Tables in LaTeX's `tabular`."""

import pytest

from ocrqueue.engines.mlx.markup.tables.from_latex import with_html_tables


def html_rows(body, spec="{lll}"):
    """The rows of HTML for the body of a table."""
    html = with_html_tables(rf"\begin{{tabular}}{spec}{body}\end{{tabular}}")
    assert html.startswith("<table>\n")
    assert html.endswith("\n</table>")
    return html.split("\n")[1:-1]


def row(*cells):
    return "<tr>" + "".join(cell if cell.startswith("<") else f"<td>{cell}</td>" for cell in cells) + "</tr>"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (r"a & b \\ c & d \\", [row("a", "b"), row("c", "d")]),
        ("\\hline\na & b \\\\[2pt]\n\\hline\nc & d\n", [row("a", "b"), row("c", "d")]),
        (r"\toprule a \\ \cmidrule(lr){1-2} b \\* \cline{1-1} c \\ \bottomrule", [row("a"), row("b"), row("c")]),
        (r" & \\ a & ", [row("", ""), row("a", "")]),
        (r"R\&D & 5\% & \$3 & a\_b & \#1 & \{x\}", [row("R&amp;D", "5%", "$3", "a_b", "#1", "{x}")]),
        (r"\textbf{a} & \emph{b \textit{c}} & {d}", [row("a", "b c", "{d}")]),
        (r"\makecell{one\\two} & x", [row("one<br>two", "x")]),
        (r"\begin{tabular}[c]{@{}c@{}}one\\two\end{tabular} & x", [row("one<br>two", "x")]),
        (r"$\frac{a}{b}$ & $5\%$ & \alpha", [row(r"$\frac{a}{b}$", r"$5\%$", r"\alpha")]),
        (
            r"$\begin{array}{c} a & b \\ c \end{array}$ & x",
            [row(r"$\begin{array}{c} a &amp; b \\ c \end{array}$", "x")],
        ),
        (r"\$5 & $6 \\ $7 & 8", [row("$5", "$6"), row("$7", "8")]),
        (r"**Bold** & 0.5** & a~b<br>c", [row("Bold", "0.5**", "a b<br>c")]),
        (r"<script>x</script> & a < b", [row("&lt;script&gt;x&lt;/script&gt;", "a &lt; b")]),
    ],
)
def test_cells(body, wanted):
    assert html_rows(body) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (r"\multicolumn{2}{|c|}{a} & b", [row('<td colspan="2">a</td>', "b")]),
        (r"\multicolumn{2}{p{3cm}}{\textbf{a} {b}} \\", [row('<td colspan="2">a {b}</td>')]),
        (r"\multirow{2}{*}{a} & b \\ & c \\", [row('<td rowspan="2">a</td>', "b"), row("c")]),
        (r"\multirow[t]{2}*{a} & b \\ & c \\", [row('<td rowspan="2">a</td>', "b"), row("c")]),
        (
            r"\multicolumn{2}{c}{\multirow{2}{*}{a}} & b \\ \multicolumn{2}{c}{} & c \\",
            [row('<td rowspan="2" colspan="2">a</td>', "b"), row("c")],
        ),
        (
            r"\multirow{2}{*}{\multicolumn{2}{c}{a}} & b \\ & & c",
            [row('<td rowspan="2" colspan="2">a</td>', "b"), row("c")],
        ),
        (r"\multirow{3}{*}{a} & b \\ taken & c \\ & d", [row("a", "b"), row("taken", "c"), row("", "d")]),
        (r"\multirow{9}{*}{a} & b \\ & c", [row('<td rowspan="2">a</td>', "b"), row("c")]),
        (r"a & \multirow{2}{*}{b} \\ c \\", [row("a", '<td rowspan="2">b</td>'), row("c")]),
        (r"\multirow{-2}{*}{a} & b", [row("a", "b")]),
        (r"\multicolumn{0}{c}{a} & \multicolumn{x}{c}{b}", [row("a", r"\multicolumn{x}{c}{b}")]),
        (r"\multicolumn{2}{c}{cut", [row('<td colspan="2">cut</td>')]),
    ],
)
def test_spans(body, wanted):
    assert html_rows(body) == wanted


@pytest.mark.parametrize("spec", ["", "{l}", "[t]{|l|r|}", "{@{}l>{\\bfseries}p{3cm}@{}}", "{*{3}{c}}"])
def test_formats_of_columns_are_no_text(spec):
    assert html_rows("a & b", spec) == [row("a", "b")]


@pytest.mark.parametrize("name", ["tabular*", "tabularx", "longtable"])
def test_other_names(name):
    width = r"{0.9\textwidth}" if name != "longtable" else ""
    assert (
        with_html_tables(rf"\begin{{{name}}}{width}{{ll}}a & b\end{{{name}}}")
        == "<table>\n" + row("a", "b") + "\n</table>"
    )


def test_text_around_tables_and_cut_tables():
    table = r"\begin{tabular}{l}a\end{tabular}"
    html = "<table>\n" + row("a") + "\n</table>"
    assert with_html_tables(f"one {table} two {table}") == f"one\n\n{html}\n\ntwo\n\n{html}"
    assert with_html_tables(table.removesuffix(r"\end{tabular}")) == html
    assert with_html_tables(r"text \begin{tabular}") == "text"
    assert with_html_tables(" no table ") == " no table "
