"""How often a call is made again, and what counts as a try."""

from types import SimpleNamespace

import pytest

from worker.remote import calls
from worker.remote.conversation import Interrupted, NotUploaded
from worker.remote.errors import ConnectionLost

LINK = SimpleNamespace(address="h1")


@pytest.fixture
def uploads(monkeypatch):
    """What was uploaded; no call waits before the next."""
    uploaded = []

    async def upload(link):
        uploaded.append(link)

    async def at_once(_):
        pass

    monkeypatch.setattr(calls, "upload", upload)
    monkeypatch.setattr(calls.asyncio, "sleep", at_once)
    return uploaded


def ends(*errors):
    left = list(errors)

    async def once():
        if left:
            raise left.pop(0)
        return "done"

    return once


CUT = Interrupted("cut")


async def test_a_line_may_break_twice_on_a_host_that_has_no_runner_yet(uploads):
    assert await calls.repeated(LINK, "Sending", ends(NotUploaded(), CUT, CUT)) == "done"
    assert uploads == [LINK]


async def test_a_runner_that_disappears_after_a_cut_is_uploaded_again(uploads):
    assert await calls.repeated(LINK, "Sending", ends(NotUploaded(), CUT, NotUploaded())) == "done"
    assert uploads == [LINK, LINK]


@pytest.mark.parametrize(
    "errors",
    [[CUT] * 3, [NotUploaded(), *[CUT] * 3], [NotUploaded()] * 4, [CUT, *[NotUploaded()] * 2]],
)
async def test_the_third_trouble_is_told(uploads, errors):
    with pytest.raises(ConnectionLost, match="Sending on host h1 was cut off 3 times"):
        await calls.repeated(LINK, "Sending", ends(*errors))
