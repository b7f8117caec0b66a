"""Text from a host cannot steer the terminal, and stays readable."""

import pytest

from app.cli.text import cell, columns, duration, one_line, plain


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain\ttext\nsecond line", "plain\ttext\nsecond line"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a new title\x07ok", "ok"),
        ("\x1b]52;c;Y2xpcGJvYXJk\x1b\\ok", "ok"),
        ("\x9b31mred", "red"),
        ("\x1bPq sixel\x1b\\ok", "ok"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1bc reset", "\\x1bc reset"),
        ("an open one: \x1b]0;title", "an open one: \\x1b]0;title"),
        ("\x1b\x1b[0m[31mred", "\\x1b[31mred"),
        ("bell\x07 and back\x08", "bell\\x07 and back\\x08"),
        ("10%\r20%\r\ndone", "10%\n20%\ndone"),
        ("exe\u202egpj.sh", "exe\\u202egpj.sh"),
        ("half \ud800 a pair", "half \ufffd a pair"),
        ("Schlüssel 鍵 🔑", "Schlüssel 鍵 🔑"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(given, shown):
    assert plain(given) == shown


def test_every_control_character_becomes_harmless():
    every = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
    assert all(char in "\n\t" or char.isprintable() for char in plain(every))


def test_a_cell_is_one_line():
    assert one_line(" two\nlines\r\n ") == "two lines"
    assert cell({"hook": None, "on": True}) == "hook=-, on=yes"
    assert cell(["a\nb", 3, False]) == "a b, 3, no"
    assert {cell(nothing) for nothing in (None, "", [], {})} == {"-"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")],
)
def test_durations_are_worded_for_people(seconds, words):
    assert duration(seconds) == words


def test_columns_are_aligned_without_trailing_space():
    assert columns([("A", "LONG"), ("bbbb", "c")]) == ["A     LONG", "bbbb  c"]
