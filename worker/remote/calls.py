"""Short calls of the runner: upload, kill, clean. Each can be repeated without harm."""

import asyncio

from worker.remote import runner
from worker.remote.conversation import Conversation, Interrupted, NotUploaded, collect, failed
from worker.remote.errors import ConnectionLost
from worker.remote.link import Link
from worker.remote.runner import Answer

_TRIES = 3
_SECONDS = 30.0


async def upload(link: Link) -> None:
    """Store this version of the runner on the host."""
    mark = runner.new_mark()
    line = runner.upload_line(link.address, mark)
    await _ask(link, line, runner.TEXT.encode(), mark=mark)


async def kill(link: Link, name: str) -> str:
    """End a step with everything it started; the process ids that are left, normally none."""
    answer = await _call(link, "kill", runner.step_name(name))
    return answer.rest if answer.word == "SURVIVORS" else ""


async def clean(link: Link, name: str) -> None:
    await _call(link, "clean", runner.step_name(name))


async def _call(link: Link, *words: str) -> Answer:
    trouble, missing = "", False
    for attempt in range(_TRIES):
        mark = runner.new_mark()
        line = runner.command_line(link.address, *words)
        try:
            if missing:
                await upload(link)
                missing = False
            return await _ask(link, line, f"{mark}\n".encode(), mark=mark)
        except NotUploaded:
            missing, trouble = True, "the runner disappeared"
        except Interrupted as error:
            trouble = str(error)
            await asyncio.sleep(0.5 * attempt)
    raise ConnectionLost(
        f"`{' '.join(words)}` on host {link.address} was cut off {_TRIES} times: {trouble}.",
        hint="Look at the connection and at sshd's log on the host, then repeat.",
    )


async def _ask(link: Link, line: str, stdin: bytes, *, mark: str) -> Answer:
    connection = await link.connection()
    async with link.spare, Conversation(connection, line, stdin, mark=mark) as conversation:
        answer, rest = await collect(conversation, seconds=_SECONDS)
        if answer is None:
            raise await conversation.explain_silence(link.address)
        if answer.word == "FAILED":
            raise failed(link.address, rest)
        return answer
