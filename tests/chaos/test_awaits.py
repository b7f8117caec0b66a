"""The driver of the cancellation sweep counts every suspension and hides nothing."""

import asyncio
import itertools

import pytest

from tests.support import awaits
from tests.support.awaits import Moment, Skipped, Swallowed

MOMENTS = pytest.mark.parametrize("moment", list(Moment))


async def _ignore(_run):
    pass


def _answered_later():
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.set_result, "answer")
    return answer


async def _three():
    await _answered_later()
    await asyncio.sleep(0)
    return await _answered_later()


@MOMENTS
async def test_it_cancels_at_every_suspension_and_counts_them(moment):
    seen = []

    async def prepare():
        return _three()

    async def check(run):
        seen.append((run.suspensions, run.was_cancelled))

    assert await awaits.sweep(prepare, check, moment=moment) == 3
    assert seen == [(3, False), (1, True), (2, True), (3, True), (3, False)]


async def test_an_await_that_finds_its_answer_is_no_suspension():
    async def at_once():
        answer = asyncio.get_running_loop().create_future()
        answer.set_result("there")
        return await answer

    assert (await awaits.run(at_once())).suspensions == 0


@MOMENTS
async def test_the_cancel_comes_before_or_behind_the_answer(moment):
    seen = []

    async def work():
        answer = _answered_later()
        try:
            await answer
        except asyncio.CancelledError:
            seen.append(answer.cancelled())
            raise

    await awaits.run(work(), cancel_at=1, moment=moment)
    assert seen == [moment is not Moment.ANSWERED]


@MOMENTS
async def test_a_swallowed_cancel_is_reported(moment):
    async def deaf():
        try:
            await _three()
        except asyncio.CancelledError:
            return "as if nothing had happened"

    with pytest.raises(Swallowed, match="as if nothing had happened"):
        await awaits.run(deaf(), cancel_at=2, moment=moment)


async def test_a_stubborn_one_cancels_also_what_is_put_in_order():
    seen = []

    async def orderly():
        try:
            await _three()
        finally:
            try:
                await _three()
            except asyncio.CancelledError:
                seen.append("cancelled again")
                raise

    await awaits.run(orderly(), cancel_at=1, moment=Moment.STUBBORN)
    assert seen == ["cancelled again"]


async def test_a_cancel_that_became_another_error_is_reported():
    async def confused():
        try:
            await _three()
        except asyncio.CancelledError as error:
            raise OSError("the connection broke") from error

    with pytest.raises(Swallowed, match="the connection broke"):
        await awaits.run(confused(), cancel_at=3)


async def test_a_skipped_suspension_is_reported():
    runs = itertools.chain([_three], itertools.repeat(_answered_once))

    async def prepare():
        return next(runs)()

    with pytest.raises(Skipped, match="3 suspensions, cancelled at 1"):
        await awaits.sweep(prepare, _ignore, moment=Moment.UNANSWERED)


async def _answered_once():
    await _answered_later()
