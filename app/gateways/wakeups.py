"""News over Redis: "there is something new about X". Losing one costs a look, never an event."""

import asyncio
import contextlib
import random
from collections.abc import Collection, Iterator

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "liftlock:wakeups"

#: Seconds of silence after which Redis is asked whether it is still there.
_SILENCE = 10.0
#: Seconds between attempts to reach Redis: the first pause and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
#: What the other side of a dead connection costs at most, in seconds.
_TIMEOUT = 5.0

log = structlog.get_logger()


class Wakeups:
    """Announces topics to all processes, and wakes whoever in this one waits for a topic."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._is_away = False
        self._pause = _FIRST_PAUSE
        #: Whether the process stops: nobody is to wait any longer.
        self.is_stopped = False

    @classmethod
    def connect(cls, url: str) -> "Wakeups":
        """Connects at the first use, so that a process starts while Redis is away."""
        return cls(Redis.from_url(url, socket_connect_timeout=1, socket_timeout=_TIMEOUT))

    def announce(self, topics: Collection[str]) -> None:
        """Tell everybody, soon. One message is under way at most; what comes meanwhile waits.

        Needs a running loop, raises nothing, and forgets what Redis cannot be told.
        """
        self._untold.update(topics)
        if self._untold and self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    @contextlib.contextmanager
    def subscription(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set at each announcement. Clear it, look, then wait for it."""
        news = asyncio.Event()
        self._waiting.setdefault(topic, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[topic].discard(news)
            if not self._waiting[topic]:
                del self._waiting[topic]

    @property
    def topics(self) -> list[str]:
        """What somebody in this process waits for."""
        return list(self._waiting)

    def wake(self, topic: str) -> None:
        """Wake those in this process that wait for the topic."""
        for news in self._waiting.get(topic, ()):
            news.set()

    def stop(self) -> None:
        """Send everybody away: the process ends."""
        self.is_stopped = True
        self._wake_all()

    async def run(self) -> None:
        """Listen until cancelled, across every absence of Redis. One listener for a process."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                _heed_cancellation()
                self._note_absence(error)
            # Processes that lost the same Redis do not come back all at once.
            await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311  (no secret)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def finish(self) -> None:
        """Wait, briefly, until what was announced is told."""
        if self._telling is not None:
            telling = self._telling
            await asyncio.wait({telling}, timeout=1)
            telling.cancel()
            await asyncio.wait({telling})

    async def close(self) -> None:
        await self.finish()
        await self._redis.aclose(close_connection_pool=True)

    async def _tell(self) -> None:
        try:
            while self._untold:
                told, self._untold = "\n".join(self._untold), set()
                await self._publish(told)
        finally:
            self._telling = None

    async def _publish(self, told: str) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._redis.publish(CHANNEL, told)
        except (RedisError, OSError) as error:
            self._note_absence(error)
            await asyncio.sleep(_FIRST_PAUSE)

    async def _listen(self) -> None:
        """Until the connection breaks; raises RedisError or OSError then."""
        async with self._redis.pubsub() as listener:
            await listener.subscribe(CHANNEL)
            is_asked = False
            while True:
                _heed_cancellation()
                message = await listener.get_message(timeout=_SILENCE)
                if message is not None:
                    is_asked = False
                    self._take(message["type"], message["data"])
                elif is_asked:
                    raise OSError("Redis is silent")
                else:
                    is_asked = True
                    await listener.ping()

    def _take(self, kind: str, data: bytes) -> None:
        if kind == "message":
            for topic in data.decode().split("\n"):
                self.wake(topic)
        elif kind == "subscribe":
            # Also redis-py's own reconnections come by here: what was said meanwhile is unknown.
            self._is_away, self._pause = False, _FIRST_PAUSE
            self._wake_all()

    def _wake_all(self) -> None:
        for topic in self._waiting:
            self.wake(topic)

    def _note_absence(self, error: Exception) -> None:
        if not self._is_away:
            log.warning("wakeups.redis_away", reason=type(error).__name__)
        self._is_away = True


def _heed_cancellation() -> None:
    """redis-py loses a cancellation that meets it while it connects; the task still knows."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
