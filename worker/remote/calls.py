"""Short calls of the runner, from `upload` to `tidy`. Each can be repeated without harm."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from worker.remote import runner
from worker.remote.conversation import (
    Conversation,
    Delivery,
    Interrupted,
    NoSession,
    NotUploaded,
    no_session,
    refuse,
)
from worker.remote.errors import ConnectionLost, ProcessesSurvived
from worker.remote.host import Fence
from worker.remote.link import Link
from worker.remote.runner import Answer

T = TypeVar("T")

_TRIES = 3
#: Seconds until the server must have a session to spare.
_SESSION = 60.0
_SECONDS = 30.0


async def upload(link: Link) -> None:
    """Store this version of the runner on the host."""
    mark = runner.new_mark()
    line = runner.upload_line(link.address, mark)
    async with link.spare:
        await ask(Delivery(link, line, runner.TEXT.encode(), mark=mark), seconds=_SECONDS)


async def kill(link: Link, name: str, fence: Fence | None = None) -> None:
    """End a step with everything it started; it is not started any more."""
    await _end(link, f"kill {runner.step_name(name)}", f"step {name}", fence)


async def reap(link: Link, job: str, fence: Fence | None = None) -> None:
    await _end(link, f"reap {runner.step_name(job)}", f"job {job}", fence)


async def clean(link: Link, *names: str, fence: Fence | None = None) -> None:
    if names:
        await _call(link, " ".join(["clean", *map(runner.step_name, names)]), fence)


async def tidy(link: Link, days: int) -> None:
    await _call(link, f"tidy {days:d}")


async def _end(link: Link, words: str, what: str, fence: Fence | None) -> None:
    answer = await _call(link, words, fence)
    if answer.word == "SURVIVORS":
        raise ProcessesSurvived(
            f"Processes of {what} on host {link.address} live on after KILL: {answer.rest}.",
            hint=f"Look at them on the host: ps -o pid,user,stat,wchan:20,args -p "
            f"{answer.rest.replace(' ', ',')}",
        )


async def repeated(link: Link, what: str, once: Callable[[], Awaitable[T]]) -> T:
    """The result of something that can be repeated without harm; uploads the runner if need be."""
    trouble, missing, tries = "", False, 0
    until = asyncio.get_running_loop().time() + _SESSION
    while tries < _TRIES:
        tries += 1
        try:
            if missing:
                await upload(link)
                missing = False
            return await once()
        except NotUploaded:
            if not trouble:  # on a new host it is not there yet: nothing went wrong
                tries -= 1
            missing, trouble = True, "the runner disappeared"
        except NoSession as error:
            if asyncio.get_running_loop().time() > until:
                raise no_session(link.address) from error
            tries -= 1
            await asyncio.sleep(0.1)
        except Interrupted as error:
            trouble = str(error)
            await asyncio.sleep(0.5 * (tries - 1))
    raise ConnectionLost(
        f"{what} on host {link.address} was cut off {_TRIES} times: {trouble}.",
        hint="Look at the connection and at sshd's log on the host, then repeat.",
    )


async def ask(call: Conversation, *, seconds: float) -> tuple[Answer, bytes]:
    """One call: its answer and what comes behind it."""
    async with call as conversation:
        return await conversation.outcome(seconds=seconds)


async def _call(link: Link, words: str, fence: Fence | None = None) -> Answer:
    async def once() -> Answer:
        mark = runner.new_mark()
        call = Conversation(link, words, f"{runner.head(mark, fence)}.\n".encode(), mark=mark)
        async with link.spare:
            answer, _ = await ask(call, seconds=_SECONDS)
        refuse(link.address, answer)
        return answer

    return await repeated(link, f"`{words}`", once)
