"""Lines of a release for the log of its job."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from worker.assets.publishing.publish import Published
from worker.remote.host import Listed, Listing
from worker.remote.host import Output as Hear

_MEGA = 1_000_000
#: Lines about files that are left out.
_SHOWN = 20


def fetched(lacking: Sequence[Listed], listing: Listing) -> str:
    known = len(listing.files) - len(lacking)
    size = sum(file.size for file in lacking) / _MEGA
    text = f"fetched {len(lacking):,} ({size:.1f} MB) of {len(listing.files):,} files"
    lines = [f"{text}, {known:,} known\n"]
    lines += [f"left out: {sentence}\n" for sentence in listing.left_out[:_SHOWN]]
    if (more := len(listing.left_out) - _SHOWN) > 0:
        lines.append(f"left out: {more:,} more\n")
    return "".join(lines)


def published(found: Published, release: str) -> str:
    size = f"{found.new_bytes / _MEGA:.1f} of {found.bytes / _MEGA:.1f} MB"
    return f"published {found.new:,} new of {found.files:,} files ({size}) as {release}\n"


@contextlib.asynccontextmanager
async def telling(show: Hear) -> AsyncIterator[Callable[[str], None]]:
    """Takes lines from code that does not wait, and shows them in their order."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def tell(line: str | None) -> None:
        loop.call_soon_threadsafe(lines.put_nowait, line)

    async def pass_on() -> None:
        while (line := await lines.get()) is not None:
            await show(f"{line}\n")

    passing = asyncio.create_task(pass_on())
    try:
        yield tell
        tell(None)
        await passing
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
