"""The streams that are open in this process: how many, whose, and when they have to end."""

import asyncio
import contextlib
from collections.abc import Iterator
from uuid import UUID

import structlog

from app import store
from app.errors import ServiceError, Unavailable
from app.gateways.wakeups import Wakeups
from app.store.database import Database

#: Streams of one process; an idle one costs some 50 KiB.
MOST = 1_000
#: Seconds of silence after which a stream says that it is still there.
HEARTBEAT = 15.0

#: Streams that read at the same time: the other connections are for other requests.
_READING = 4
#: Seconds between two looks at the tokens. A stream outlives its token by no more.
_TOKENS_EVERY = 10.0

log = structlog.get_logger()


class Stream:
    """One reader that stays. It ends itself, or is told to."""

    def __init__(self, token_id: UUID, news: asyncio.Event, turn: asyncio.Semaphore) -> None:
        self.token_id = token_id
        self.news = news
        #: To be held while reading.
        self.turn = turn
        self.is_over = False

    def end(self) -> None:
        self.is_over = True
        self.news.set()

    async def wait(self, seconds: float = HEARTBEAT) -> bool:
        """Whether there may be news; False when it was quiet for so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self.news.wait()
        except TimeoutError:
            return False


class Streams:
    """All of them. They end when the process stops, and each within seconds of its token's end."""

    def __init__(self, wakeups: Wakeups, *, most: int = MOST) -> None:
        self._wakeups = wakeups
        self._most = most
        self._open: set[Stream] = set()
        self._turn = asyncio.Semaphore(_READING)

    def __len__(self) -> int:
        return len(self._open)

    def require_room(self) -> None:
        """Raises Unavailable when as many are open as may be."""
        if len(self._open) >= self._most:
            raise Unavailable(
                f"This process serves {self._most} streams already.",
                hint="Try again later, or poll: GET …/events with the header `Prefer: wait=25`.",
            )

    @contextlib.contextmanager
    def open(self, job_id: UUID, token_id: UUID) -> Iterator[Stream]:
        """A stream that is woken whenever the job tells something."""
        with self._wakeups.subscription(store.events.topic(job_id)) as news:
            stream = Stream(token_id, news, self._turn)
            stream.is_over = self._wakeups.is_stopped
            self._open.add(stream)
            try:
                yield stream
            finally:
                self._open.discard(stream)

    def stop(self) -> None:
        """End all of them, and everybody's waiting: the process stops."""
        self._wakeups.stop()
        for stream in self._open:
            stream.end()

    async def watch_tokens_forever(self, db: Database) -> None:
        """End the streams of tokens that were revoked or have expired."""
        while True:
            await asyncio.sleep(_TOKENS_EVERY)
            try:
                await self.end_without_token(db)
            except ServiceError as error:
                log.warning("streams.tokens_unknown", reason=error.detail)
            except Exception:
                log.exception("streams.watch_crashed")

    async def end_without_token(self, db: Database) -> None:
        """One look at the tokens of all streams."""
        wanted = {stream.token_id for stream in self._open}
        if not wanted:
            return
        async with db.transaction() as session:
            live = await store.tokens.live_among(session, wanted)
        for stream in self._open:
            if stream.token_id in wanted - live:
                stream.end()
