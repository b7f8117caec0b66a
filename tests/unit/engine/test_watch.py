"""A watch: the site is asked round after round, and fails once it stays wrong."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.job import Ending, EndingWhy
from tests.support.diary import ALIVE, FAILURE, Diary, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Begun, Interrupted, Past, RetryPolicy, Stop
from worker.remote.errors import HostUnreachable
from worker.remote.host import HttpAnswer
from worker.steps.step import Command, Failure, Probe, Watch

GOOD, BAD = HttpAnswer(200, ""), HttpAnswer(502, "")
AWAY = HostUnreachable("no answer", hint="ping")
BROKEN = Failure("check-failed", "The site broke", "liftlock jobs logs")
PAGE = Probe(8080, "/", (200,), 9, 9, 1, None, None, BROKEN, name="shop.example")
#: What the page is called in lines about it.
URL = "GET http://shop.example/ at 127.0.0.1:8080"


def watching(*probes, seconds=0.0, every=0.001, most_wrong=2):
    return plan(step("watch", Watch(probes or (PAGE,), seconds, every, most_wrong)))


def begun(seconds):
    """An earlier attempt began to watch so long ago."""
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    return Past({1: Begun(since=since, running=True)})


class Rounds(FakeHost):
    """Calls something with the number of each question."""

    async def http_get(self, *what, **more):
        self.hears(len(self.asked) + 1)
        return await super().http_get(*what, **more)


async def test_a_site_that_stays_well_is_asked_for_the_whole_time():
    host, diary = FakeHost(pages=[GOOD]), Diary()
    assert (await run(watching(seconds=0.05), host, diary)).error is None
    assert len(host.asked) > 3
    assert diary.said.count("\n") == 2


async def test_the_first_answer_and_the_end_are_told():
    host, diary = FakeHost(pages=[GOOD]), Diary()
    await run(watching(), host, diary)
    assert diary.said == (
        f"after 0 s: {URL} answered 200\nwatched for 0 s: 1 round here, 0 wrong answers\n"
    )


async def test_a_site_that_stays_wrong_fails_after_so_many_answers():
    host = FakeHost(pages=[GOOD, GOOD, BAD])
    error = (await run(watching(seconds=600, most_wrong=3), host)).error
    assert len(host.asked) == 5
    assert error is not None
    assert (error.code, error.hint) == ("check-failed", "liftlock jobs logs")
    assert error.detail == (
        f"web1, after 0 s of watching: {URL} answered 502, wanted 200, 3 times in a row."
    )


async def test_a_single_wrong_answer_is_told_and_forgiven():
    host, diary = FakeHost(pages=[GOOD, BAD, GOOD, BAD, GOOD]), Diary()
    assert (await run(watching(seconds=0.05), host, diary)).error is None
    assert diary.said.count("answered 502") == 2
    assert diary.said.endswith("2 wrong answers\n")


async def test_each_probe_is_counted_for_itself():
    other = replace(PAGE, path="/other")
    host = FakeHost(pages=[BAD, GOOD, GOOD, BAD, GOOD])
    assert (await run(watching(PAGE, other, seconds=0.05), host)).error is None


async def test_the_one_of_several_that_stays_wrong_is_named():
    other = replace(PAGE, path="/other")
    host = FakeHost(pages=[GOOD, BAD, GOOD, BAD])
    error = (await run(watching(PAGE, other, seconds=600), host)).error
    assert error is not None
    assert "shop.example/other" in error.detail


async def test_a_doubt_at_the_end_is_settled_before_it_is_well():
    host = FakeHost(pages=[BAD, GOOD])
    assert (await run(watching(), host)).error is None
    assert len(host.asked) == 2


async def test_a_doubt_at_the_end_may_turn_out_to_be_right():
    host = FakeHost(pages=[BAD])
    assert (await run(watching(), host)).error is not None
    assert len(host.asked) == 2


async def test_at_the_end_only_the_doubtful_are_asked_again():
    other = replace(PAGE, path="/other")
    host = FakeHost(pages=[GOOD, BAD, GOOD])
    await run(watching(PAGE, other), host)
    assert [path for _, path in host.asked] == ["/", "/other", "/other"]


async def test_a_page_without_the_wanted_words_is_wrong():
    host = FakeHost(pages=[HttpAnswer(200, "hello")])
    error = (await run(watching(replace(PAGE, contains="Shop")), host)).error
    assert error is not None
    assert "without 'Shop' in the page" in error.detail


async def test_a_successor_goes_on_from_where_it_was():
    host = FakeHost(pages=[BAD])
    error = (await run(watching(seconds=600), host, past=begun(90))).error
    assert error is not None
    assert "after 90 s of watching" in error.detail


async def test_a_successor_that_comes_when_the_time_is_over_asks_once():
    host = FakeHost(pages=[GOOD])
    assert (await run(watching(seconds=60), host, past=begun(61))).error is None
    assert len(host.asked) == 1


async def test_what_a_successor_says_is_not_taken_for_what_was_said_before():
    diary = Diary()
    await run(watching(), FakeHost(pages=[GOOD]), diary, past=begun(9))
    assert diary.lines[0] == "1 watch started anew"


async def test_a_clock_that_is_behind_watches_no_longer():
    host = FakeHost(pages=[GOOD])
    assert (await run(watching(), host, past=begun(-60))).error is None
    assert len(host.asked) == 1


async def test_a_host_that_is_away_is_no_failure_of_the_site():
    host, diary = FakeHost(pages=[BAD, AWAY, BAD, GOOD]), Diary()
    assert (await run(watching(), host, diary)).error is None
    assert "1 watch retrying 2 of 4 host-unreachable anew" in diary.lines


async def test_what_one_hears_while_the_host_fails_another_counts_for_nothing():
    other = replace(PAGE, path="/other")
    host = FakeHost(pages=[BAD, AWAY, GOOD])
    assert (await run(watching(PAGE, other, most_wrong=1), host)).error is None


async def test_a_host_that_stays_away_is_told_as_such():
    error = (await run(watching(), FakeHost(pages=[AWAY]))).error
    assert error is not None
    assert error.code == "host-unreachable"


async def test_a_try_after_the_host_was_away_does_not_begin_the_time_again():
    host = FakeHost(pages=[AWAY, GOOD])
    late = RetryPolicy(first=0.2)  # it tries again when the time is over
    assert (await run(watching(seconds=0.05), host, retry=late)).error is None
    assert len(host.asked) == 2


async def test_an_order_to_stop_is_heeded_at_once():
    ending, stop = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00"), Stop()
    host, diary = Rounds(pages=[GOOD]), Diary()
    host.hears = lambda number: stop.order(ending)
    outcome = await run(watching(seconds=600, every=600), host, diary, stop=stop)
    assert outcome.stopped == ending
    assert diary.lines[-1] == "1 watch canceled"


async def test_an_order_is_heeded_while_an_answer_is_awaited():
    ending, stop = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00"), Stop()

    class Slow(FakeHost):
        async def http_get(self, *what, **more):
            stop.order(ending)
            await asyncio.Event().wait()

    assert (await run(watching(), Slow(), stop=stop)).stopped == ending


async def test_a_worker_that_stops_leaves_the_watch_to_another():
    host, draining = Rounds(pages=[GOOD]), []
    host.hears = draining.append
    of = watching(seconds=600, every=600)
    with pytest.raises(Interrupted):
        await run(of, host, stopping=lambda: bool(draining))


async def test_a_process_that_died_fails_it_at_once():
    host = FakeHost({"alive": Answer(1)}, pages=[GOOD])
    error = (await run(watching(replace(PAGE, alive=ALIVE), seconds=600), host)).error
    assert error is not None
    assert (error.code, len(host.asked)) == ("start-failed", 1)


async def test_of_a_process_that_died_it_is_told_what_it_answered_and_what_was_wanted():
    refused = HttpAnswer(0, "", problem="the port refuses connections")
    host = FakeHost({"alive": Answer(1)}, pages=[refused])
    error = (await run(watching(replace(PAGE, alive=ALIVE), seconds=600), host)).error
    assert error is not None
    asked, _, rest = error.detail.partition("\n")
    assert asked.endswith(": the port refuses connections, wanted 200.")
    assert rest.startswith("web1: exit code 1")


async def test_a_failed_watch_undoes_what_was_done():
    host = FakeHost(pages=[BAD])
    of = plan(step("switch", undo=Command("switch back")), *watching().steps)
    outcome = await run(of, host)
    assert host.scripts == ["switch", "switch back"]
    assert outcome.undone


async def test_a_site_is_asked_at_its_address_by_its_name_and_with_tls():
    host = FakeHost(pages=[BAD])
    secure = replace(PAGE, port=8443, address="::1", tls=True)
    error = (await run(watching(secure), host)).error
    assert host.looked_for[0] == ("::1", "shop.example", True)
    assert error is not None
    assert "GET https://shop.example/ at [::1]:8443 answered 502" in error.detail


async def test_a_probe_too_is_made_at_its_address_by_its_name_and_with_tls():
    host = FakeHost(pages=[BAD])
    secure = Probe(443, "/", (200,), 1, 0, 1, None, None, FAILURE, "10.0.0.7", "shop", tls=True)
    error = (await run(plan(step("ask", secure)), host)).error
    assert host.looked_for == [("10.0.0.7", "shop", True)]
    assert error is not None
    assert "GET https://shop/ at 10.0.0.7:443 answered 502" in error.detail


async def test_a_probe_without_a_name_is_told_by_its_address():
    probe = Probe(80, "/", (200,), 1, 0, 1, None, None, FAILURE, "10.0.0.7")
    error = (await run(plan(step("ask", probe)), FakeHost(pages=[BAD]))).error
    assert error is not None
    assert "GET http://10.0.0.7:80/ answered 502" in error.detail
