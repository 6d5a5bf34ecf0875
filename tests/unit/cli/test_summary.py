"""The last line after many documents."""

from ocrqueue.cli.summary import READ, Outcome, summary


def test_what_was_not_read_well_is_named() -> None:
    outcomes = [Outcome(f"{n}.pdf", READ) for n in range(38)]
    outcomes += [Outcome("a.pdf", READ, is_poor=True), Outcome("b.pdf", READ, is_poor=True), Outcome("c.pdf", "failed")]
    assert summary(outcomes) == "40 read, 2 of them poorly: a.pdf, b.pdf; 1 failed: c.pdf"


def test_few_of_many_are_named() -> None:
    line = summary([Outcome(f"{n}.pdf", "failed") for n in range(7)])
    assert line == "0 read; 7 failed: 0.pdf, 1.pdf, 2.pdf, 3.pdf, 4.pdf and 2 more"
