"""The question which files a folder of a host holds: as long as lines come, it may take hours."""

import asyncio
import time
from dataclasses import dataclass

from worker.remote import runner
from worker.remote.conversation import Delivery, Interrupted, failed, refuse
from worker.remote.errors import FilesChanged, StepSilent
from worker.remote.host import Fence, Output
from worker.remote.link import Link
from worker.remote.runner import Answer

#: Seconds without a line, after which the host counts as lost. A sum takes as long as its file is
#: large, and lines come in groups.
_STALL = 120.0
#: Of a host that stands still, which another try rarely helps.
_STALLS = 2
#: Seconds between two lines that tell how far it is.
_TELL = 10.0
#: The last line of the script's, so that half a list is known for one.
_LAST = b"."
#: How the line of a file begins.
_FILE = b"\n= "


def there(link: Link, answer: Answer, folder: str) -> None:
    """Raises what an answer other than the wanted one means."""
    refuse(link.address, answer)
    if answer.word == "GONE":
        raise FilesChanged(
            f"There is no folder {folder} below {link.address.base_dir} on host {link.address}.",
            hint=f"Look at it on {link.address.host}: ls -la {link.address.base_dir}/{folder}",
        )


@dataclass
class Asking:
    """One listing, asked for again when the line breaks."""

    link: Link
    folder: str
    within: str
    fence: Fence | None
    show: Output | None
    stalls: int = 0

    async def lines(self) -> bytes:
        link, mark = self.link, runner.new_mark()
        line = runner.command_line(link.address, "list")
        stdin = runner.place(mark, self.folder, self.fence, WITHIN=self.within)
        async with Delivery(link, line, stdin, mark=mark) as stream:
            answer, lines = await self._outcome(stream)
        there(link, answer, self.folder)
        if not lines.endswith(_LAST):
            raise Interrupted("the list of files ended in the middle")
        return lines[: -len(_LAST)]

    async def _outcome(self, stream: Delivery) -> tuple[Answer, bytes]:
        answer: Answer | None = None
        lines, told = bytearray(), time.monotonic()
        while pieces := await self._read(stream):
            for piece in pieces:
                if isinstance(piece, bytes):
                    lines += piece
                else:
                    answer = answer or piece
            if self.show is not None and time.monotonic() - told >= _TELL:
                told = time.monotonic()
                await self.show(f"listed {lines.count(_FILE):,} files so far\n")
        if answer is None:
            raise await stream.explain_silence(self.link.address)
        if answer.word == "FAILED":
            raise failed(self.link.address, bytes(lines))
        return answer, bytes(lines)

    async def _read(self, stream: Delivery) -> list[Answer | bytes]:
        try:
            async with asyncio.timeout(_STALL):
                return await stream.read()
        except TimeoutError as error:
            self.stalls += 1
            trouble = f"the host listed nothing for {_STALL:g} s"
            if self.stalls < _STALLS:
                raise Interrupted(trouble) from error
            raise self._stood_still(trouble) from error

    def _stood_still(self, trouble: str) -> StepSilent:
        address = self.link.address
        return StepSilent(
            f"Listing {self.folder} on host {address} was given up: {trouble}, {_STALLS} times.",
            hint=f"See what its disk does, on {address.host}: "
            f"iostat -x 1 5; time ls -R {address.base_dir}/{self.folder} | wc -l",
        )
