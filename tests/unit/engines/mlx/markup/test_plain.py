"""The plain text of Markdown."""

import pytest

from ocrqueue.engines.mlx.markup.plain import plain


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("# Title\n\n## Part", "Title\n\nPart"),
        ("**bold** and __strong__", "bold and strong"),
        ("snake_case__name and 2 ** 3 ** 4", "snake_case__name and 2 ** 3 ** 4"),
        ("significant** at 5 %", "significant** at 5 %"),
        ("**over\nlines**", "**over\nlines**"),
        ("****", "****"),
        ("![A chart](figure.png) and ![](x.png)", "A chart and"),
        ("![not](a target)", "![not](a target)"),
        ("line<br>\nnext<br/>last", "line\nnext\nlast"),
        ("<div align='center'>a</div>b H<sub>2</sub>O", "a\nb H2O"),
        ("a <b and c> vector<int> 3<4", "a <b and c> vector<int> 3<4"),
        ("```python\n# comment\n```", "# comment"),
        ("AT&amp;T stays outside of tables", "AT&amp;T stays outside of tables"),
        ("\n\n  text \n", "text"),
        ("$x$ and $$\ny\n$$", "$x$ and $$\ny\n$$"),
    ],
)
def test_marks_are_removed_and_words_are_not(markdown, text):
    assert plain(markdown) == text
