"""Letters that are set apart in the text layer of a PDF."""

import pytest

from tests.support.paper import PROSE, Paper


@pytest.fixture
def paper(tmp_path):
    return Paper(tmp_path)


def set_apart(paper, text, points):
    """Write a line with so many points after each character."""
    paper.write(text, y=200, size=12)
    stream = paper.page.get_contents()[-1]
    paper.pdf.update_stream(stream, paper.pdf.xref_stream(stream).replace(b"BT", b"BT %d Tc" % points))


@pytest.mark.parametrize("points", [0, 1, 2, 4, 7])
def test_letters_that_are_set_apart_are_words(paper, points):
    paper.write(*PROSE)
    set_apart(paper, "CONTENTS of this 1st book", points)
    assert paper.texts() == [*PROSE, "CONTENTS of this 1st book"]


def test_their_words_have_their_boxes(paper):
    set_apart(paper, "CONTENTS here", 4)
    (line,) = paper.layer().lines
    first, second = line.words
    assert (first.text, second.text) == ("CONTENTS", "here")
    assert first.box[0][0] < first.box[1][0] < second.box[0][0] < second.box[1][0]


@pytest.mark.parametrize("text", ["a b c d e f g", "1 2 3 4 5 6 7 8 9"])
def test_single_letters_with_spaces_of_the_file_between_them_stay(paper, text):
    set_apart(paper, text, 0)
    assert paper.texts() == [text]


def test_few_letters_that_are_set_apart_stay(paper):
    paper.write(*PROSE)
    set_apart(paper, "A B C D", 0)
    assert paper.texts()[-1] == "A B C D"
