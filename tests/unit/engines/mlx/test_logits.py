"""The n-gram blocker against its definition, the repetition penalty, and random choice."""

from hypothesis import given
from hypothesis import strategies as st

from ocrqueue.engines.mlx.logits import NgramBlocker


def banned_by_definition(tokens: list[int], size: int, window: int | None, exempt: set[int]) -> list[int]:
    """What the authors' loop forbids: it compares every sequence of the window with the last tokens."""
    last = tokens[len(tokens) - size + 1 :]
    found = set()
    for start in range(0 if window is None else max(0, len(tokens) - window), len(tokens) - size + 1):
        if tokens[start : start + size - 1] == last:
            found.add(tokens[start + size - 1])
    return sorted(found - exempt)


@given(
    st.lists(st.integers(0, 3), max_size=60),
    st.integers(1, 5),
    st.none() | st.integers(1, 40),
    st.sets(st.integers(0, 3), max_size=2),
)
def test_the_blocker_forbids_what_the_definition_forbids(tokens, size, window, exempt):
    blocker = NgramBlocker(size, window, sorted(exempt))
    for count, token in enumerate(tokens, 1):
        blocker.add(token)
        assert blocker.banned() == banned_by_definition(tokens[:count], size, window, exempt)


def test_a_page_cannot_repeat_a_sequence_within_the_window():
    blocker, tokens = NgramBlocker(3, 10), []
    for _ in range(200):
        tokens.append(next(token for token in range(9) if token not in blocker.banned()))
        blocker.add(tokens[-1])
    sequences = [tuple(tokens[start : start + 3]) for start in range(len(tokens) - 2)]
    assert tokens[:4] == [0, 0, 0, 1]
    for start, sequence in enumerate(sequences):
        assert sequence not in sequences[start + 1 : start + 8]
    assert len(set(sequences)) < len(sequences), "outside of the window it may be repeated"


def test_the_blocker_remembers_the_window_only():
    blocker = NgramBlocker(4, 50)
    for token in range(10_000):
        blocker.add(token)
    assert len(blocker._followers) <= 50
