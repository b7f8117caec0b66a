import asyncio
import contextlib
import secrets
import subprocess

import pytest
from redis.asyncio import Redis

from app.gateways.wakeups import CHANNEL, Wakeups
from local import binaries
from local.redis import RedisServer
from tests.support.servers import wait_until


class OwnRedis:
    """A server of one test, that comes and goes."""

    def __init__(self, folder):
        self._server = RedisServer(
            program=binaries.redis_program(),
            directory=folder,
            socket=folder / "own.sock",
            password=secrets.token_hex(16),
        )
        self._server.write_config()
        self._process = None

    @property
    def url(self):
        return self._server.url()

    def start(self):
        self._process = subprocess.Popen(
            self._server.argv(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._server.answers, "Redis to answer")

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def own_redis(tmp_path_factory):
    redis = OwnRedis(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.stop()


@contextlib.asynccontextmanager
async def process(url):
    """What one process has: the handle, and its listener."""
    wakeups = Wakeups.connect(url)
    listener = asyncio.create_task(wakeups.run())
    yield wakeups
    listener.cancel()
    await asyncio.wait({listener})
    await wakeups.close()


async def heard(news, seconds=10):
    async with asyncio.timeout(seconds):
        await news.wait()
    news.clear()


async def listening(*processes):
    """Until each has subscribed: the beginning wakes everybody."""
    for one in processes:
        with one.subscription("start") as news:
            async with asyncio.timeout(10):
                while not news.is_set():
                    one.announce(["start"])
                    await asyncio.sleep(0.02)


async def test_who_waits_in_another_process_is_woken_and_nobody_else(redis_url):
    async with process(redis_url) as one, process(redis_url) as other:
        await listening(one, other)
        with other.subscription("a") as news, other.subscription("b") as silence:
            silence.clear()
            one.announce(["a"])
            await heard(news)
            assert not silence.is_set()


async def test_a_subscription_that_ends_leaves_nothing_behind(wakeups):
    with wakeups.subscription("a"), wakeups.subscription("a"):
        assert wakeups.topics == ["a"]
    assert wakeups.topics == []
    wakeups.wake("a")


async def test_what_is_announced_while_a_message_is_under_way_goes_with_the_next(redis_url):
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        await listener.get_message(timeout=5)
        wakeups = Wakeups.connect(redis_url)
        wakeups.announce(["first"])
        await asyncio.sleep(0)
        for number in range(1000):
            wakeups.announce([f"topic:{number}", "again"])
        messages = []
        while sum(len(told) for told in messages) < 1002:
            message = await listener.get_message(timeout=5)
            messages.append(message["data"].split(b"\n"))
        assert [len(told) for told in messages] == [1, 1001]
        await wakeups.close()


async def test_announcing_while_redis_is_away_raises_nothing_and_keeps_nothing(tmp_path):
    wakeups = Wakeups.connect(f"unix://{tmp_path}/none")
    for number in range(100):
        wakeups.announce([f"topic:{number}"])
    await wakeups.finish()
    assert not wakeups._untold
    await wakeups.close()


async def test_the_listener_comes_back_and_wakes_everybody(own_redis):
    own_redis.start()
    async with process(own_redis.url) as wakeups:
        await listening(wakeups)
        with wakeups.subscription("a") as news:
            own_redis.stop()
            wakeups.announce(["a"])
            own_redis.start()
            await heard(news)
            await listening(wakeups)
            news.clear()
            wakeups.announce(["a"])
            await heard(news)


async def test_a_process_starts_while_redis_is_away(own_redis):
    async with process(own_redis.url) as wakeups:
        with wakeups.subscription("a") as news:
            own_redis.start()
            await heard(news)


async def test_a_listener_whose_connection_is_cut_hears_again(redis_url):
    async with process(redis_url) as wakeups, Redis.from_url(redis_url) as redis:
        await listening(wakeups)
        with wakeups.subscription("a") as news:
            await redis.client_kill_filter(_type="pubsub", skipme=True)
            await heard(news)


async def test_a_process_that_stops_sends_everybody_away(wakeups):
    with wakeups.subscription("a") as one, wakeups.subscription("b") as other:
        wakeups.stop()
        assert one.is_set()
        assert other.is_set()
        assert wakeups.is_stopped
