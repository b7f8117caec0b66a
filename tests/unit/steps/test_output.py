"""What the engine keeps of a command's output, and what it makes of a failure."""

import pytest

from app.domain.redaction import Redactor
from worker.steps.output import Output, ending, failure_of
from worker.steps.step import Command, Failure

KNOWN = Failure("tool-missing", "A tool is missing", "install it")
COMMAND = Command("x", reports=("commit",), failures={3: KNOWN})


def heard(*chunks: str, secrets: tuple[str, ...] = ()) -> Output:
    output = Output(COMMAND, Redactor(secrets))
    for chunk in chunks:
        output.hear(chunk)
    return output


def test_a_fact_is_read_from_its_line_even_when_chunks_cut_it() -> None:
    assert heard("x\ncom", "mit=a", "bc\r\nrest").facts == {"commit": "abc"}


def test_only_announced_names_are_facts() -> None:
    assert heard("other=1\n commit=no\n").facts == {}


def test_the_last_reported_value_counts_and_is_kept_short() -> None:
    assert heard("commit=a\n", f"commit={'b' * 5000}\n").facts == {"commit": "b" * 1000}


def test_the_tail_is_the_last_five_lines_that_say_something() -> None:
    output = heard("\n".join(str(number) for number in range(9)), "\n\n  \nend")
    assert output.tail() == "5\n6\n7\n8\nend"


def test_a_hundred_megabytes_on_one_line_are_not_kept() -> None:
    output = heard(*["x" * 65_536] * 1600)
    assert len(output.tail()) < 10_000


def test_a_secret_is_masked_in_the_tail_even_at_the_end_of_a_long_line() -> None:
    output = heard("y" * 4000 + "hunter2-is-it", "\n", secrets=("hunter2-is-it",))
    assert "hunter2" not in output.tail()


def test_a_secret_that_begins_in_a_line_too_long_to_keep_is_not_shown() -> None:
    secret = "hunter2-is-it"
    output = heard("y" * 9000 + secret[:5], secret[5:] + "\nnext\n", secrets=(secret,))
    assert output.tail() == "(a line of more than 9005 characters)\nnext"


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_secret_that_a_chunk_cuts_is_masked(cut: int) -> None:
    secret = "hunter2-is-it"
    output = heard("a" + secret[:cut], secret[cut:] + "b\n", secrets=(secret,))
    assert output.tail() == "a[redacted]b"


def test_a_failure_of_our_own_script_is_reported_by_its_table() -> None:
    assert failure_of(COMMAND, 3, heard("x"), "hint") is KNOWN


def test_any_other_failure_names_its_exit_code_and_where_to_look() -> None:
    failure = failure_of(COMMAND, 9, heard("x"), "look there")
    assert failure == Failure("step-failed", "A command ended with exit code 9", "look there")


def test_a_full_disk_is_recognised_whatever_the_exit_code() -> None:
    output = heard("tar: write error: No space left on device\n", *["more\n"] * 20)
    assert failure_of(COMMAND, 3, output, "").code == "disk-full"


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (1, "exit code 1"),
        (137, "signal SIGKILL, as the kernel sends it when memory runs out (exit code 137)"),
        (143, "signal SIGTERM (exit code 143)"),
        (255, "exit code 255"),
    ],
)
def test_an_exit_code_is_put_into_words(exit_code: int, words: str) -> None:
    assert ending(exit_code) == words
