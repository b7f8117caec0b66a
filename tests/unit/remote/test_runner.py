"""The runner's protocol: what goes in and what its answers mean, however they arrive."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.remote import runner
from worker.remote.host import Address, Fence
from worker.remote.runner import Answer, Answers, Decoder
from worker.steps.step import Command

MARK = "0123456789abcdef0123456789abcdef"
ADDRESS = Address("h", "h.example", 22, "u", None, "liftlock", sudo=False, jump=None)


def _say(*words):
    return b"\x1e" + " ".join((MARK, *words)).encode() + b"\n"


def _fed(*chunks):
    """All answers and the joined log."""
    answers, said, log = Answers(MARK), [], b""
    for chunk in chunks:
        for piece in answers.feed(chunk):
            if isinstance(piece, Answer):
                said.append((piece.word, piece.rest))
            else:
                log += piece
    return said, log, answers.noise


def test_noise_before_the_first_answer_is_no_log():
    said, log, noise = _fed(b"Welcome to h!\nno newline" + _say("STARTED") + b"one\n")
    assert (said, log, noise) == ([("STARTED", "")], b"one\n", b"Welcome to h!\nno newline")


def test_a_log_that_imitates_an_answer_stays_a_log():
    fake = b"\x1efedcba EXIT 0\n\x1e\x1e0123 EXIT 0\n"
    said, log, _ = _fed(_say("STARTED") + fake + _say("EXIT", "3"))
    assert (said, log) == ([("STARTED", ""), ("EXIT", "3")], fake)


def test_output_is_shown_before_its_line_ends():
    _, log, _ = _fed(_say("STARTED"), b"half a li")
    assert log == b"half a li"


@given(st.binary(), st.binary(), st.lists(st.integers(0, 400)))
def test_cuts_anywhere_change_nothing(banner, log, cuts):
    stream = banner + _say("RUNNING", "12") + log + _say("EXIT", "0")
    places = sorted({min(cut, len(stream)) for cut in cuts})
    chunks = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert _fed(*chunks)[:2] == ([("RUNNING", "12"), ("EXIT", "0")], log)


@given(st.text().filter(lambda text: "\0" not in text))
def test_a_value_is_sent_as_counted_lines(value):
    sent = runner.encode(MARK, Command("true"), {"V": value}).decode()
    head, _, rest = sent.removeprefix(f"{MARK}\n").partition("\n")
    lines = rest.split("\n")[: int(head.removeprefix("E V "))]
    assert "\n".join(lines) == value
    assert sent.endswith("\nS - 1\ntrue\n.\n")


def test_locks_go_in_one_order_with_names_that_fit_a_file():
    fence = Fence({"instance:2/x": 7, "host:1": 12}, job="j", note="a\n\x1b[2J note ")
    sent = runner.encode(MARK, Command("true"), {}, fence).decode()
    head = ["J j a [2J note", "L host%3A1 12", "L instance%3A2%2Fx 7"]
    assert sent.splitlines()[:5] == [MARK, *head, "C - 1"]


def test_more_locks_than_a_shell_has_numbers_for_are_refused():
    with pytest.raises(ValueError, match="more than 6 locks: a, b, c"):
        runner.head(MARK, Fence(dict.fromkeys("gfedcba", 1), job="j", note=""))


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A B", "ÄRGER", "ll_dir", "LIFTLOCK_STEP", "A\n"]
)
def test_a_bad_name_for_a_variable_is_refused(name):
    with pytest.raises(ValueError, match="not a name for a variable"):
        runner.encode(MARK, Command("true"), {name: "x"})


@pytest.mark.parametrize("path", ["/etc", "..", "../x", "a/../../x", "a\nb"])
def test_a_path_outside_the_base_folder_is_refused(path):
    with pytest.raises(ValueError, match="not a path below the base folder"):
        runner.encode(MARK, Command("true", paths={"P": path}), {})
    with pytest.raises(ValueError, match="not a path below the base folder"):
        runner.encode(MARK, Command("true", cwd=path), {})


def test_a_value_with_nul_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="the value of TOKEN contains a NUL") as caught:
        runner.encode(MARK, Command("true"), {"TOKEN": "hunter2\0"})
    assert "hunter2" not in str(caught.value)


def test_a_value_longer_than_linux_allows_is_refused():
    with pytest.raises(ValueError, match="longer than 131071 bytes"):
        runner.encode(MARK, Command("true"), {"V": "ü" * 65536})


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a b", "a\n"])
def test_a_bad_step_name_is_refused(name):
    with pytest.raises(ValueError, match="not a step name"):
        runner.step_name(name)


def test_the_command_line_survives_a_hostile_base_folder():
    address = Address("h", "h", 22, "u", None, "it's $(id); x", sudo=False, jump=None)
    words = shlex.split(runner.command_line(address, "run", "j-1"))
    assert words[:5] == ["cd", "&&", "exec", "sh", "-c"]
    assert words[-3:] == [f"it's $(id); x/runner/{runner.FILE}", "run", "j-1"]


def test_sudo_never_asks():
    address = Address("h", "h", 22, "u", None, "/srv/l", sudo=True, jump=None)
    assert "exec sudo -n sh -c" in runner.command_line(address, "kill", "j-1")


def test_the_script_can_be_counted_in_characters():
    assert runner.TEXT.isascii()
    assert not runner.TEXT.endswith("\n\n")


def test_a_character_cut_in_two_is_put_together():
    decoder = Decoder()
    assert decoder.feed(b"f\xc3") + decoder.feed(b"\xbcr") == "für"


def test_what_postgres_cannot_store_is_replaced():
    assert Decoder().feed(b"a\0b\xffc\xc3", final=True) == "a\ufffdb\ufffdc\ufffd"
