"""No expression has a possessive quantifier, such as `*+`: CPython 3.11.0 to 3.11.4 match some of them wrongly."""

import ast
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FOLDERS = ("ocrqueue", "worker", "tasks", "scripts", "bench")
_QUANTIFIER = re.compile(r"[*+?}]\+")


def possessive(source: str, calls_only: bool = False) -> Iterator[str]:
    """The texts of a module that are expressions with a possessive quantifier; of all texts or those given to `re`."""
    tree = ast.parse(source if _QUANTIFIER.search(source) else "")
    for root in filter(_is_call_of_re, ast.walk(tree)) if calls_only else [tree]:
        for text in map(_text, ast.walk(root)):
            if _QUANTIFIER.search(text) and "POSSESSIVE_REPEAT" in _understood(text):
                yield text


def _is_call_of_re(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")


def _text(node: ast.AST) -> str:
    """The text of a literal; an f-string has a group for each value. Empty for all else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "(?:value)" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _understood(expression: str) -> str:
    """What `re` understands an expression to be; empty if it is none."""
    printed = io.StringIO()
    with suppress(re.error), redirect_stdout(printed):
        re.compile(expression, re.DEBUG)
    return printed.getvalue()


def test_no_possessive_quantifiers():
    files = [*PROJECT.glob("*.py"), *(path for folder in FOLDERS for path in sorted((PROJECT / folder).rglob("*.py")))]
    assert len(files) > 300
    assert {str(path): found for path in files if (found := list(possessive(path.read_text())))} == {}


def test_no_possessive_quantifiers_in_tests():
    """Their texts are no expressions, such as programs in C, unless `re` gets them."""
    files = sorted((PROJECT / "tests").rglob("*.py"))
    assert {str(path): found for path in files if (found := list(possessive(path.read_text(), calls_only=True)))} == {}


def test_each_kind_is_found():
    quantifiers = ("a*+", "(?:ab?c)++", "a?+", "a{2,3}+", "[ab]*+c", r"\s++")
    for quantifier in quantifiers:
        assert list(possessive(f"X = r'{quantifier}'")) == [quantifier]
        assert list(possessive(f"re.sub(r'{quantifier}', '', text)", calls_only=True)) == [quantifier]
    assert "(?:(?:value)|b++)" in possessive('X = rf"(?:{Y}|b++)"')
    assert list(possessive(r"""X = r'[*+]', 'C+', r'\++', "(i++"; re.compile(r'\++')""")) == []
