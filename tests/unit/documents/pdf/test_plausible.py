"""Text that cannot be the printed text, and text that only looks odd."""

import random
import string

import pytest

from ocrqueue.documents.pdf.characters import readable
from ocrqueue.documents.pdf.plausible import is_gibberish

ENGLISH = (
    "The harbour master counted the boats every evening, wrote their names into a long grey book, and went home "
    "along the wall when the lamp had been lit. Nobody ever asked him what the list was good for, and he would not "
    "have known what to answer; it had been kept before him, and it would be kept when he was gone."
)


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        ENGLISH.upper(),
        "Der Hafenmeister zählte jeden Abend die Boote, schrieb ihre Namen in ein großes graues Buch und ging heim.",
        "Co wieczór strażnik liczył łodzie, wpisywał ich nazwy do grubej szarej księgi i szedł do domu wzdłuż muru.",
        "Každý večer strážce počítal čluny, zapisoval jejich jména do tlusté šedé knihy a vracel se podél zdi domů.",
        "Mỗi buổi tối người coi cảng đếm thuyền, ghi tên chúng vào một cuốn sổ dày màu xám rồi đi về nhà.",
        "Joka ilta satamamestari laski veneet, kirjoitti niiden nimet paksuun harmaaseen kirjaan ja käveli kotiin.",
        "Каждый вечер смотритель гавани считал лодки и записывал их названия в толстую серую книгу.",
        "港の番人は毎晩船を数え、その名を厚い灰色の帳面に書きつけた。",
        "for (i = 0; i < n; i++) { a[i] = b[i] + c[i]; if (a[i] != 0) { return -1; } }\n" * 3,
        "1,204.50 17.3 % 88.00 -4.1 % 1,310.75\n" * 8,
        "1. Introduction . . . . . . . . . . . . . . . 7\n2. The harbour . . . . . . . . . . . . . . . 19\n" * 4,
        "□ Yes □ No □ Unknown ▶ ▶ ▶ ✓ ✓ → → ▲ ▼ ● ● ● ● ● ● ● ● ● ●",
        "ISO 9001 DIN EN 1090-2 NACE MR0175 ASTM A105N API 6D BSPT NPT DN50 PN16 SWL 250 kg",
        "x",
        "",
    ],
)
def test_unusual_text_is_not_gibberish(text):
    assert not is_gibberish(text)


def test_most_shuffled_alphabets_are_gibberish():
    rng, found = random.Random(7), 0
    for _ in range(100):
        shuffled = "".join(rng.sample(string.ascii_lowercase, 26))
        found += is_gibberish(ENGLISH.lower().translate(str.maketrans(string.ascii_lowercase, shuffled)))
    assert found >= 80  # without a dictionary the others look like a language


def test_dot_leaders_count_as_one_character_each():
    assert not is_gibberish(f"Harbour!?{'.' * 20}{',' * 20}{';' * 20}{':' * 20} 7")
    assert is_gibberish(f"Harbour!?{'.,;:' * 20} 7")


def test_words_without_vowels_are_gibberish_if_many_are():
    words = [f"{a}{b}rst" for a in "bcdfg" for b in "hjklm"]
    assert is_gibberish(" ".join(words))
    assert not is_gibberish(" ".join(words[:6] + [f"{a}onner" for a in "bdgkmprstw"] * 2))  # a fifth of the words


@pytest.mark.parametrize(
    "text", ["\ufffd\ufffd\ufffd", "\ue001\ue002 \ue003", "a\x03b\x04c\x05", "(cid:3) (cid:4) (cid:5)", "!\"#$%&'("]
)
def test_characters_without_meaning_are_gibberish(text):
    assert is_gibberish(text)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  a \u00a0 b\t c ", "a b c"),
        ("e\u0301", "é"),
        ("o\ufb03ce", "office"),
        ("co\u00adoperate", "cooperate"),
        ("co\u00ad", "co-"),
        ("a\u200bb\ufeffc", "abc"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\ufe8e\ufedf", "\u0627\u0644"),
        ("\uf0b7 item", "• item"),
        ("\ue000x\ufffd", "x"),
        ("ﬀ½", "ff½"),
    ],
)
def test_readable(raw, expected):
    assert readable(raw) == expected
