"""One file through HTTP: what a server answered, and what is wrong with that."""

import asyncio
import hashlib
from dataclasses import dataclass

import httpx

from worker.assets.manifest import Asset
from worker.assets.problem import Problem
from worker.assets.publishing import headers
from worker.assets.publishing.retrying import TRIES, rest

_OK, _TOO_MANY, _MOVED, _SERVER_ERRORS = 200, 429, range(300, 400), range(500, 600)
#: A file may take this long, and as much longer as a line of 100 kB a second needs for it.
_LEAST, _SLOWEST = 60.0, 100_000
_SCRIPTS = {"text/javascript", "application/javascript", "application/x-javascript"}
_SCRIPT = headers.JAVASCRIPT.partition(";")[0]
#: A browser refuses these files under another type.
_STRICT = {"text/css", _SCRIPT, "image/svg+xml", "application/wasm"}


@dataclass(frozen=True)
class Answer:
    url: str
    #: Why there is no answer to look at.
    failed: str | None = None
    status: int = 0
    headers: httpx.Headers | None = None
    size: int = 0
    #: Of the file, unpacked.
    sha256: str = ""

    @property
    def coding(self) -> str | None:
        return self.header("content-encoding") or None

    def header(self, name: str) -> str:
        return str((self.headers or httpx.Headers()).get(name, "")).strip()


async def ask(
    client: httpx.AsyncClient, url: str, asset: Asset, *, coding: str, pause: float
) -> Answer:
    """GET, with at most five tries when the server or the line fails in passing."""
    answer = Answer(url, failed="was not asked for")
    for number in range(TRIES):
        if number:
            await rest(pause, number)
        answer = await _once(client, url, asset, coding)
        if not answer.failed and answer.status != _TOO_MANY and answer.status < _SERVER_ERRORS[0]:
            break
    return answer


async def _once(client: httpx.AsyncClient, url: str, asset: Asset, coding: str) -> Answer:
    try:
        async with asyncio.timeout(_LEAST + asset.size / _SLOWEST):
            return await _get(client, url, asset, coding)
    except TimeoutError:
        return Answer(url, failed="did not end in time")
    except httpx.HTTPError as error:
        return Answer(url, failed=f"failed: {error or type(error).__name__}")


async def _get(client: httpx.AsyncClient, url: str, asset: Asset, coding: str) -> Answer:
    digest, size = hashlib.sha256(), 0
    asked = {"Accept-Encoding": coding}
    async with client.stream("GET", url, headers=asked, follow_redirects=False) as response:
        if response.status_code == _OK:
            async for piece in response.aiter_bytes():
                digest.update(piece)
                size += len(piece)
                if size > asset.size:
                    break
        return Answer(
            url,
            status=response.status_code,
            headers=response.headers,
            size=size,
            sha256=digest.hexdigest(),
        )


def problems_of(answer: Answer, asset: Asset) -> list[Problem]:
    if answer.failed:
        return [_problem("not-served", asset, f"{answer.url} {answer.failed}")]
    if answer.status != _OK:
        where = (
            f" (to {answer.header('location').partition('?')[0]})"
            if answer.status in _MOVED
            else ""
        )
        message = f"{answer.url} answered {answer.status}{where}, wanted 200"
        return [_problem("not-served", asset, message)]
    found = [_bytes(answer, asset), _cache(answer, asset), _type(answer, asset)]
    return [problem for problem in found if problem]


def _bytes(answer: Answer, asset: Asset) -> Problem | None:
    if (answer.size, answer.sha256) == (asset.size, asset.sha256):
        return None
    sent = f", sent as {answer.coding}" if answer.coding else ""
    if answer.size == asset.size:
        told = f"sha256 {answer.sha256}{sent}, wanted {asset.sha256}"
    else:
        more = "more than " if answer.size > asset.size else ""
        told = f"{more}{min(answer.size, asset.size)} bytes{sent}, wanted {asset.size}"
    return _problem("altered", asset, f"{answer.url} has other bytes: {told}")


def _cache(answer: Answer, asset: Asset) -> Problem | None:
    told = answer.header("cache-control")
    words = {word.strip().lower() for word in told.split(",")}
    if "immutable" in words and any(word.startswith("max-age=") for word in words):
        return None
    message = f"{answer.url} has Cache-Control {told!r}, wanted {headers.IMMUTABLE!r}"
    return _problem("not-immutable", asset, message)


def _type(answer: Answer, asset: Asset) -> Problem | None:
    told = answer.header("content-type").partition(";")[0].strip().lower()
    wanted = headers.content_type(asset.name).partition(";")[0]
    fits = told == wanted or (wanted == _SCRIPT and told in _SCRIPTS)
    if fits or (wanted not in _STRICT and told != "text/html"):
        return None
    return _problem(
        "wrong-type", asset, f"{answer.url} has Content-Type {told!r}, wanted {wanted!r}"
    )


def _problem(code: str, asset: Asset, message: str) -> Problem:
    return Problem(code, message, file=asset.name)
