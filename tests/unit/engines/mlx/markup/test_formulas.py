"""Formulas in every notation become Markdown's."""

import pytest

from ocrqueue.engines.mlx.markup.formulas import bare, dollars, formula


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (r"a \( x \) b", "a $x$ b"),
        (r"\[x\]", "$$\nx\n$$"),
        ("one\n\\[\nx\n\\]\ntwo", "one\n$$\nx\n$$\ntwo"),
        (r"in \[x\] a line", "in $$x$$ a line"),
        (r"\(a\) and \(b\)", "$a$ and $b$"),
        (r"\[a\]\[b\]", "$$a$$$$b$$"),
        (r"\begin{array}{c} a \\[2pt] b \end{array}", r"\begin{array}{c} a \\[2pt] b \end{array}"),
        (r"\[ a \\[2pt] b \]", "$$\na \\\\[2pt] b\n$$"),
        (r"never \( closed", r"never \( closed"),
        (r"never opened \)", r"never opened \)"),
        (r"\( a \] b \)", r"$a \] b$"),
        (r"twice \( opened \( x \)", r"twice \( opened $x$"),
        (r"\(\text{cost in $}\)", r"\(\text{cost in $}\)"),
        (r"\(\)", r"\(\)"),
        ("\\( one\n\nparagraph later \\)", "\\( one\n\nparagraph later \\)"),
        ("$x$ stays, and 5 $ too", "$x$ stays, and 5 $ too"),
    ],
)
def test_delimiters_become_dollars(given, wanted):
    assert dollars(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a^2", "$$\na^2\n$$"),
        (r"\[a^2\]", "$$\na^2\n$$"),
        ("$$\na^2\n$$", "$$\na^2\n$$"),
        ("$a^2$", "$a^2$"),
        (r"\[a\] and \[b\]", "$$a$$ and $$b$$"),
        (r"\[a^2", "$$\na^2\n$$"),
        ("", ""),
    ],
)
def test_an_element_that_is_a_formula_is_delimited_once(given, wanted):
    assert formula(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"), [("$$\nx\n$$", "x"), ("$x$", "x"), ("$a$ or $b$", "$a$ or $b$"), ("$$", "$$"), ("5 $", "5 $")]
)
def test_a_text_that_is_a_formula_loses_its_dollars(given, wanted):
    assert bare(given) == wanted


def test_a_formula_in_a_line():
    assert formula("a^2", in_line=True) == formula(r"\(a^2\)", in_line=True) == "$a^2$"
