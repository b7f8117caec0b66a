import asyncio
import os
import select

import pytest

from app.domain.redaction import RedactingStream, Redactor
from worker.providers.program import LONGEST_ANSWER, LONGEST_PROGRESS, Program, _Progress

PASSWORD = "correct-horse-battery"


class Told:
    def __init__(self):
        self.lines, self.first = [], asyncio.Event()

    async def __call__(self, line):
        self.lines.append(line)
        self.first.set()


@pytest.fixture
def told():
    return Told()


def shell(text, *arguments, grace=10.0, **env):
    env = {"PATH": os.environ["PATH"], **env}
    return Program(("sh", "-c", text, "sh", *arguments), env, Redactor([PASSWORD]), grace)


async def run(program, told, *, request=b"{}", longest=20.0):
    return await program.run(request, longest=longest, show=told)


def has_ended(pid):
    """Waits for it: a signal arrives a moment after it was sent."""
    try:
        handle = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


async def test_the_request_is_its_standard_input_and_the_answer_its_standard_output(told):
    ended = await run(shell("cat"), told, request=b'{"action": "list"}')
    assert (ended.exit_code, ended.answer) == (0, b'{"action": "list"}')


async def test_arguments_are_handed_over_as_they_are(told):
    hostile = "'; touch /nowhere; $(id) \n *"
    ended = await run(shell('printf %s "$1"', hostile), told)
    assert ended.answer.decode() == hostile


async def test_it_sees_no_variable_but_those_it_is_given(told, monkeypatch):
    monkeypatch.setenv("LIFTLOCK_TOKEN", PASSWORD)
    ended = await run(shell("env", GIVEN="yes"), told)
    names = {line.partition("=")[0] for line in ended.answer.decode().splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "GIVEN"}


async def test_standard_error_is_shown_line_by_line_while_it_runs(told, tmp_path):
    door = tmp_path / "door"
    os.mkfifo(door)
    program = shell('echo one >&2; read -r _ <"$1"; echo; printf "\ntwo" >&2', str(door))
    running = asyncio.create_task(run(program, told))
    await told.first.wait()
    assert told.lines == ["one"]
    await asyncio.to_thread(door.write_text, "\n")
    await running
    assert told.lines == ["one", "two"]


async def test_its_last_words_are_kept(told):
    ended = await run(shell("echo no such region >&2; exit 4"), told)
    assert (ended.exit_code, ended.how, ended.said) == (
        4,
        "ended with exit code 4",
        "no such region",
    )


async def test_secrets_and_control_characters_are_not_shown(told):
    await run(shell(f"printf 'key \\033[31m{PASSWORD}\\n' >&2"), told)
    assert told.lines == ["key [31m[redacted]"]


async def test_progress_is_bounded_and_read_to_its_end(told):
    ended = await run(shell("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo done"), told)
    assert ended.answer == b"done\n"
    assert sum(map(len, told.lines)) <= LONGEST_PROGRESS
    assert max(map(len, told.lines)) <= 2000
    assert len(ended.said) <= 1000


async def test_the_longest_answer_is_taken(told):
    ended = await run(shell(f"head -c {LONGEST_ANSWER} /dev/zero"), told)
    assert len(ended.answer) == LONGEST_ANSWER


async def test_an_answer_without_end_ends_the_program(told):
    ended = await run(shell("cat /dev/zero"), told)
    assert ended.exit_code is None
    assert ended.how == "answered more than 1048576 bytes and was ended"


async def test_a_program_that_reads_nothing_is_no_error(told):
    ended = await run(shell("exec <&-; echo done"), told, request=b"x" * 300_000)
    assert ended.answer == b"done\n"


@pytest.mark.parametrize("word", ["/nowhere/program", "/dev/null", "nul\0"])
async def test_a_program_that_cannot_be_started_is_told(told, word):
    ended = await run(Program((word,), {}, Redactor()), told)
    assert ended.exit_code is None
    assert ended.how.startswith("could not be started: ")


async def test_a_program_that_was_killed_has_no_exit_code(told):
    ended = await run(shell("kill -KILL $$"), told)
    assert (ended.exit_code, ended.how) == (None, "was ended by signal 9")


async def test_a_program_that_takes_too_long_can_put_things_in_order(told):
    text = 'trap "echo cleaned >&2; exit 0" TERM; echo begun >&2; while :; do sleep 0.1; done'
    ended = await run(shell(text), told, longest=1.0)
    assert ended.exit_code is None
    assert ended.how == "took longer than 1 s and was ended"


async def test_a_program_that_ignores_term_is_killed_with_its_children(told):
    text = 'trap "" TERM; sleep 600 & echo $! >&2; echo $$ >&2; wait'
    await run(shell(text, grace=0.2), told, longest=1.0)
    assert all(has_ended(pid) for pid in told.lines)


async def test_children_that_are_left_behind_end_with_the_program(told):
    await run(shell("sleep 600 >/dev/null 2>&1 & echo $! >&2"), told)
    assert has_ended(told.lines[0])


async def test_a_child_that_holds_the_output_open_is_waited_for_only_so_long(told):
    ended = await run(shell("sleep 600 & echo $! >&2"), told, longest=1.0)
    assert ended.how == "took longer than 1 s and was ended"
    assert has_ended(told.lines[0])


async def test_a_call_that_is_cancelled_ends_the_program_and_its_children(told):
    """Cases 23 and 24: nothing goes on behind a job that was canceled."""
    running = asyncio.create_task(run(shell("sleep 600 & echo $! >&2; wait"), told))
    await told.first.wait()
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert has_ended(told.lines[0])


@pytest.mark.parametrize("error", [LookupError("the job is somebody else's"), TimeoutError("slow")])
async def test_an_error_of_who_is_shown_the_progress_ends_the_program(error):
    pids = []

    async def show(line):
        pids.append(line)
        raise error

    with pytest.raises(type(error), match=str(error)):
        await shell("echo $$ >&2; exec sleep 600").run(b"", longest=20.0, show=show)
    assert has_ended(pids[0])


async def test_half_a_secret_at_the_end_of_what_is_shown_is_not_shown(told):
    half = len(PASSWORD) // 2
    stream = asyncio.StreamReader()
    stream.feed_data(b"x" * (LONGEST_PROGRESS - half) + PASSWORD.encode() + b"x" * 65_536)
    stream.feed_eof()
    await _Progress(RedactingStream(Redactor([PASSWORD])), told).follow(stream)
    assert not [line for line in told.lines if PASSWORD[:4] in line]
