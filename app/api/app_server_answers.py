"""What the jobs of app servers answer, as the API describes itself."""

from pydantic.config import JsonDict

from app.api.documented import BODY, Responses, conflicts, problems
from app.api.job_examples import ACTIVATE, DEACTIVATE, TERMINATE
from app.api.job_view import accepted, there


def _answers(example: JsonDict, refused: Responses) -> Responses:
    kept = accepted("The job is kept.", example) | there("It has ended while you waited.", example)
    return kept | BODY | problems(404) | refused


ACTIVATED = _answers(
    ACTIVATE,
    conflicts(
        "app-server-unhealthy",
        "incomplete-set",
        "router-cannot-reach",
        "host-key-missing",
        "manual-lock",
        at="/v1/app-servers/guestbook:2/activate",
        detail="AppServer 2 of instance guestbook is failed: only one that runs can go into"
        " service.",
        hint="Provision another one: liftlock provision guestbook",
    ),
)
DEACTIVATED = _answers(
    DEACTIVATE,
    conflicts(
        "conflict",
        "manual-lock",
        at="/v1/app-servers/guestbook:2/deactivate",
        detail="AppServer 2 (0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11) is not in service: there is"
        " nothing to take out.",
        hint="See it: liftlock app-servers show 0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    ),
)
TERMINATED = _answers(
    TERMINATE,
    conflicts(
        "app-server-active",
        "holds-data",
        "in-use",
        "conflict",
        "manual-lock",
        at="/v1/app-servers/guestbook:2/terminate",
        detail="AppServer 2 (0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11) is in service and cannot be"
        " terminated.",
        hint="Put another one into service first, or take this one out: liftlock app-servers"
        " deactivate 0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    ),
)
