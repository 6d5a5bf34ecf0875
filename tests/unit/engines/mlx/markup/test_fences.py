"""Code blocks, and answers inside of one."""

import pytest

from ocrqueue.engines.mlx.markup.fences import closed, outside_code, unfenced, without_fences

CODE = "before\n```python\n# inside\n```\nafter"


def test_code_is_not_changed():
    assert outside_code(CODE, str.upper) == "BEFORE\n```python\n# inside\n```\nAFTER"


def test_the_rest_of_a_cut_code_block_is_code():
    assert outside_code("a\n```\nb", str.upper) == "A\n```\nb"


def test_fences_are_removed_but_not_words_after_them():
    assert without_fences(CODE) == "before\n# inside\nafter"
    assert without_fences("```Two words\nx") == "Two words\nx"


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        ("```markdown\n# a\n```", "# a"),
        ("```json\n[]\n```\n", "[]"),
        ("```\na\n```", "a"),
        ("```md\n# a\ncut", "# a\ncut"),
        ("```markdown\n```python\nx\n```\n```", "```python\nx\n```"),
        ("```markdown\n```python\nx\n```\ncut", "```python\nx\n```\ncut"),
        ("```markdown\na\n```\nafter", "a\nafter"),
        ("```python\nx\n```", "```python\nx\n```"),
        ("```\na\n```\ntext\n```\nb\n```", "```\na\n```\ntext\n```\nb\n```"),
        ("no fence", "no fence"),
    ],
)
def test_the_fence_around_an_answer_is_removed(answer, content):
    assert unfenced(answer) == content


def test_a_cut_code_block_is_closed():
    assert closed("a\n```\nb") == "a\n```\nb\n```"
    assert closed(CODE) == CODE
