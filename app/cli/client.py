"""The API as the command line speaks it: problems become errors, ETags and pages are handled."""

import ipaddress
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from app.cli.errors import ApiProblem, Exit, Unreachable, UsageError

TIMEOUT = httpx.Timeout(30, connect=5)
#: Seconds before a POST is sent for the second and for the third time.
PAUSES = (0.2, 1.0)
PAGE = 200
STALE = 412
#: Lists end somewhere: a server that always names a next page is broken.
MOST_PAGES = 1_000


def path(*parts: str) -> str:
    """`/v1/…` with every part quoted; raises UsageError for what cannot be a name."""
    for part in parts:
        if part in {"", ".", ".."}:
            raise UsageError(f"{part!r} is not a name.")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


class Api:
    """One connection to the API; every method raises ApiProblem or Unreachable."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self.url = _checked_url(url)
        self._has_token = bool(token)
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Accept": "application/json", **_authorization(token)},
            timeout=TIMEOUT,
            transport=transport,
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=not _is_loopback(self.url),
        )

    def get(self, address: str, *, wait: int = 0, **query: Any) -> Any:
        """`wait`: seconds that the API may take until there is something to say."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        return self._json(self.request("GET", address, query=query, headers=headers))

    def post(self, address: str, body: Any = None) -> Any:
        return self.send(address, json=body)[1]

    def put(self, address: str, body: Any) -> Any:
        return self._json(self.request("PUT", address, json=body))

    def upload(
        self, address: str, content: bytes, *, content_type: str, **query: Any
    ) -> tuple[int, Any]:
        """POST a document as it is; returns the status and the answer."""
        headers = {"Content-Type": content_type}
        return self.send(address, content=content, headers=headers, query=query)

    def send(self, address: str, **options: Any) -> tuple[int, Any]:
        """POST; returns the status and the answer.

        An answer that was lost on its way is asked for again with the same key: the API does
        the thing once.
        """
        key = {"Idempotency-Key": str(uuid.uuid4())}
        options["headers"] = {**options.get("headers", {}), **key}
        for pause in PAUSES:
            try:
                response = self.request("POST", address, **options)
            except (Unreachable, ApiProblem) as error:
                if not _may_pass(error):
                    raise
                self._sleep(pause)
            else:
                break
        else:
            response = self.request("POST", address, **options)
        return response.status_code, self._json(response)

    def items(self, address: str, *, limit: int | None = None, **query: Any) -> list[Any]:
        """A list over all its pages, or its first `limit` items."""
        found: list[Any] = []
        after = None
        for _ in range(MOST_PAGES):
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self.get(address, limit=size, after=after, **query)
            found += page["items"]
            after = page.get("next")
            if after is None or (limit is not None and len(found) >= limit):
                break
        return found if limit is None else found[:limit]

    def change(self, address: str, patch: Mapping[str, Any]) -> Any:
        """A merge patch (RFC 7396) with the ETag of the present state; once more when stale."""
        return self._json(self._guarded("PATCH", address, json=patch))

    def remove(self, address: str, *, guarded: bool = False, **query: Any) -> None:
        """DELETE; `guarded` for things with an ETag."""
        if guarded:
            self._guarded("DELETE", address, query=query)
        else:
            self.request("DELETE", address, query=query)

    def remove_seen(self, address: str, *, version: int, **query: Any) -> Any:
        """DELETE exactly the version that a person has seen; the answer tells what was done."""
        headers = {"If-Match": f'"{version}"'}
        return self._json(self.request("DELETE", address, query=query, headers=headers))

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:
        query = {
            name: value for name, value in options.pop("query", {}).items() if value is not None
        }
        try:
            response = self._http.request(method, address, params=query, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_success:
            return response
        raise self._problem(response)

    def _guarded(self, method: str, address: str, **body: Any) -> httpx.Response:
        for last in (False, True):
            current = self.request("GET", address)
            headers = {"If-Match": current.headers.get("ETag", "*")}
            try:
                return self.request(method, address, headers=headers, **body)
            except ApiProblem as problem:
                if problem.status != STALE or last:
                    raise
        raise AssertionError

    def _json(self, response: httpx.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise Unreachable(
                f"What answers at {self.url} is not Liftlock.",
                detail=f"It sent {response.headers.get('Content-Type', 'no content type')}.",
                hint="Set LIFTLOCK_URL, or --url, to the address that `liftlock up` printed.",
            ) from error

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(
            f"Liftlock does not answer at {self.url}.",
            detail=f"{type(error).__name__}: {error}",
            hint="Start it with `liftlock up`, or set LIFTLOCK_URL to where it runs.",
        )

    def _problem(self, response: httpx.Response) -> ApiProblem:
        try:
            document = response.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            document = None
        if not isinstance(document, dict):
            document = {"title": f"{self.url} answered HTTP {response.status_code}."}
        if response.status_code == httpx.codes.UNAUTHORIZED and not self._has_token:
            document["hint"] = "Set LIFTLOCK_TOKEN, or give --token."
        return ApiProblem(response.status_code, document)


def _may_pass(error: Unreachable | ApiProblem) -> bool:
    """Whether the same request may be answered in a moment."""
    return error.exit_code is Exit.UNREACHABLE or error.code == "idempotency-in-progress"


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UsageError(f"{url!r} is no URL: {error}.", hint=_URL_HINT) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise UsageError(f"{url!r} is no http or https URL.", hint=_URL_HINT)
    return url.rstrip("/")


_URL_HINT = "LIFTLOCK_URL, or --url, looks like http://127.0.0.1:8700"


def _authorization(token: str | None) -> dict[str, str]:
    token = (token or "").strip()
    if not token:
        return {}
    if not token.isascii() or not token.isprintable():
        raise UsageError("The token contains characters that no token has.")
    return {"Authorization": f"Bearer {token}"}


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
