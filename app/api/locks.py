"""/v1/locks: who keeps others away from what, and how a person ends that."""

import unicodedata
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app import services
from app.api.access import READ, Deployer, require
from app.api.documented import BODY, problems
from app.api.etags import one_version, strong_etag
from app.api.handles import Here
from app.api.lock_view import Broken, Lock
from app.api.pages import Page, PagedByName
from app.api.refs import LockName
from app.api.route import router as routes_of
from app.domain.scope import Scope
from app.errors import IfMatchMissing
from app.services.locks import LockView

router = routes_of("locks")


def _said(text: str) -> str:
    if any(unicodedata.category(char) in _BREAKS for char in text):
        raise ValueError("use one line, without control characters and invisible ones")
    if not any(unicodedata.category(char)[0] in _SEEN and char not in _BLANK for char in text):
        raise ValueError("say why, in a few words")
    return text


#: Controls, what is only there to change how other characters look, or their order, and what
#: separates lines and paragraphs.
_BREAKS = {"Cc", "Cf", "Zl", "Zp"}
#: Letters, numbers, punctuation and signs, of which some show nothing.
_SEEN = "LNPS"
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


#: Words of a person for other people. The length is told of the text as it came.
Said = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_said)]


class LockOrder(BaseModel):
    """Keep jobs from beginning: everywhere, on a host, or on an instance."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"on": "all", "message": "No deploys today: inventory."}]},
    )

    #: `all`, `host:NAME` or `instance:NAME`; an id may stand for the name.
    on: Annotated[str, Field(max_length=100)]
    #: Shown to whoever is refused.
    message: Said


async def _token(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(description="The token of the lock you looked at: its ETag.", examples=['"7"']),
    ] = None,
) -> int:
    if if_match is None:
        raise IfMatchMissing(
            "Send `If-Match` with the token of the lock that you looked at.",
            hint=f'GET {request.url.path} shows who holds it; the answer\'s ETag, like "7", is the'
            " token to send.",
        )
    # A header may come several times; the declared parameter has one of them.
    token = one_version(", ".join(request.headers.getlist("if-match")))
    if token is None:
        raise RequestValidationError([_NO_TOKEN])
    return token


_NO_TOKEN = {
    "type": "value_error",
    "loc": ("header", "if-match"),
    "msg": 'Name the one token that you looked at, in quotes, as in "7"; * is not enough here.',
}

_PLACED = {
    201: {
        "model": Lock,
        "description": "It is placed.",
        "headers": {key: {"schema": {"type": "string"}} for key in ("Location", "ETag")},
    }
}

Token = Annotated[int, Depends(_token)]
Reason = Annotated[
    Said,
    Query(
        description="Why; the job that had it tells. Of a lock that a person placed, the log of"
        " the API tells (`lock.lifted`)."
    ),
]
Force = Annotated[bool, Query(description="Also when its holder is alive.")]


@router.get("/locks", dependencies=READ)
async def list_locks(cursor: PagedByName, here: Here) -> Page[Lock]:
    """The locks that are held, by name: those of jobs, and those that people placed."""
    found = await services.locks.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, lambda view: view.name, Lock.model_validate)


@router.get("/locks/{name}", responses=problems(404), dependencies=READ)
async def get_lock(name: LockName, response: Response, here: Here) -> Lock:
    """Who holds it, since when, the last line, alive or not, who waits, and what to do.

    The ETag is the token, which breaking the lock needs in If-Match. 404 when nobody holds it.
    """
    return _shown(await services.locks.get(here.db, name), response)


@router.post("/locks", status_code=201, responses=_PLACED | BODY | problems(409))
async def place_lock(body: LockOrder, response: Response, here: Here, token: Deployer) -> Lock:
    """Keep jobs from beginning, with a message for whoever asks for one.

    Nobody waits for such a lock: new jobs are refused (409 `manual-lock`), and those that wait
    end as `failed` when their turn comes. What has begun goes on. It stays until it is broken.
    """
    view = await services.locks.place(here.db, on=body.on, message=body.message, actor=token.name)
    response.headers["Location"] = f"/v1/locks/{view.name}"
    return _shown(view, response)


@router.delete("/locks/{name}", responses=problems(404, 409, 412, 428))
async def break_lock(
    name: LockName,
    expected: Token,
    reason: Reason,
    here: Here,
    token: Deployer,
    *,
    force: Force = False,
) -> Broken:
    """Lift a lock that a person placed, or take a job's lock away (scope admin).

    A job whose lock is broken ends as `failed` (`lock-broken`) at once: nothing is undone, and its
    worker is refused from then on. While its worker is alive that takes `force=true`; to stop a
    job in good order, cancel it.
    """
    if not name.startswith("manual:"):
        require(token, Scope.ADMIN)
    found = await services.locks.break_lock(
        here.db, here.queue, name, token=expected, reason=reason, actor=token.name, force=force
    )
    return Broken.model_validate(found)


def _shown(view: LockView, response: Response) -> Lock:
    response.headers["ETag"] = strong_etag(view.token)
    return Lock.model_validate(view)
