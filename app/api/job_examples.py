"""Jobs as the API's own description shows them."""

from pydantic.config import JsonDict

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
PROVISION: JsonDict = {
    "id": _ID,
    "kind": "provision",
    "status": "running",
    "instance": {"id": _ID, "name": "guestbook"},
    "host": {"id": _ID, "name": "web-1"},
    "app_server": {
        "id": _ID,
        "name": "AppServer 1",
        "number": 1,
        "status": "configuring",
        "port": 20000,
        "release": "apps/guestbook/releases/v1-1",
        "commit": "5f2c1b7e9a3d4c6b8e0f1a2b3c4d5e6f7a8b9c0d",
        "url": "http://127.0.0.1:20000/",
    },
    "app_servers": [{"id": _ID, "name": "AppServer 1"}],
    "deployment": _ID,
    "others": [],
    "tries": {"number": 1, "of": 2},
    "next": None,
    "given_up": None,
    "revision": "v1",
    "params": {"instance": "guestbook", "revision": "v1", "activate": True},
    "dry_run": False,
    "priority": 0,
    "not_before": None,
    "deadline": None,
    "retry_of": None,
    "attempt": 1,
    "progress": {"step": 4, "of": 12, "name": "Check out v1"},
    "blocked_by": [],
    "position": None,
    "waits_until": None,
    "suspended": None,
    "cancel": None,
    "error": None,
    "outcome": None,
    "service_state": None,
    "actor": "ci",
    "request_id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12",
    "links": {
        "self": f"/v1/jobs/{_ID}",
        "events": f"/v1/jobs/{_ID}/events",
        "stream": f"/v1/jobs/{_ID}/events/stream",
        "logs": f"/v1/jobs/{_ID}/logs",
        "steps": f"/v1/jobs/{_ID}/steps",
        "plan": f"/v1/jobs/{_ID}/plan",
    },
    "created_at": "2026-11-21T05:00:00Z",
    "started_at": "2026-11-21T05:00:01Z",
    "finished_at": None,
    "duration_ms": None,
}


def _about(kind: str, name: str, params: JsonDict, progress: JsonDict) -> JsonDict:
    """A job that makes no app server: it is about one that exists."""
    return PROVISION | {
        "kind": kind,
        "app_server": None,
        "app_servers": [{"id": _ID, "name": name}],
        "deployment": None,
        "tries": None,
        "revision": None,
        "params": {"instance": "guestbook", **params, "names": [name]},
        "progress": progress,
    }


ACTIVATE = _about(
    "activate",
    "AppServer 2",
    {"app_servers": [_ID], "drain": 30, "watch": 60},
    {"step": 2, "of": 11, "name": "Ask AppServer 2 itself for /"},
)
DEACTIVATE = _about(
    "deactivate",
    "AppServer 2",
    {"app_server": _ID, "drain": 30},
    {"step": 1, "of": 7, "name": "Find the router edge"},
)
TERMINATE = _about(
    "terminate",
    "AppServer 1",
    {"app_server": _ID},
    {"step": 1, "of": 3, "name": "Stop AppServer 1"},
)


#: How far each kind is at its end, and what the site serves then.
_LAST: dict[str, tuple[int, str, str]] = {
    "provision": (12, "Record that the app server is running", "down"),
    "activate": (11, "Watch the site for 60 s through the router", "serving_new"),
    "deactivate": (7, "Let the connections of AppServer 2 end, for at most 30 s", "serving_old"),
    "terminate": (3, "Record that AppServer 1 is gone", "serving_old"),
}


def ended(example: JsonDict) -> JsonDict:
    """The same job after it has succeeded."""
    step, name, serves = _LAST[str(example["kind"])]
    return example | {
        "status": "succeeded",
        "progress": {"step": step, "of": step, "name": name},
        "outcome": "changed",
        "service_state": serves,
        "finished_at": "2026-11-21T05:00:21Z",
        "duration_ms": 20000,
    }
