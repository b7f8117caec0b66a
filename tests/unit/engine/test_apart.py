"""Work in a loop of its own: its answers and errors come back, and a cancel reaches it."""

import asyncio
import threading

import pytest

from worker.engine.assets.apart import apart


async def test_work_is_done_in_another_thread_and_its_answer_comes_back():
    async def work():
        return threading.get_ident()

    assert await apart(work) != threading.get_ident()


async def test_its_error_is_raised():
    async def work():
        raise ValueError("so it is")

    with pytest.raises(ValueError, match="so it is"):
        await apart(work)


async def test_a_cancel_ends_the_work_before_the_call():
    begun, ended = threading.Event(), threading.Event()

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(apart(work))
    await asyncio.to_thread(begun.wait)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()


async def test_work_that_blocks_its_own_loop_does_not_block_this_one():
    free = threading.Event()

    async def work():
        return free.wait(30)

    running = asyncio.create_task(apart(work))
    await asyncio.sleep(0)
    free.set()
    assert await running
