"""Who is in service at the end: read from Postgres, the router's folder and the hosts; judged."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.chaos.judge.history import Event, History, Job, Served

QUERY = """
    SELECT instances.name, route_applied >= route_version AS is_settled,
           array_agg(number) FILTER (WHERE is_active) AS active,
           array_agg(app_servers.address || ':' || port) FILTER (WHERE is_active) AS wanted
    FROM instances JOIN app_servers ON instance_id = instances.id
    WHERE router_id IS NOT NULL GROUP BY instances.id ORDER BY instances.name
"""
#: Ends of jobs that say themselves that not everything is as it was.
_CERTAIN = frozenset({"changed", "unchanged", "rolled_back"})


def read(folder: Path, row: Mapping[str, Any]) -> Served:
    """One row of the query, and what the folder of the run has about it."""
    name = row["name"]
    slots = (folder / "edge" / "routes" / name / "current").glob("[0-9]*/address")
    return Served(
        instance=name,
        active=frozenset(row["active"] or ()),
        wanted=frozenset(row["wanted"] or ()),
        routed=frozenset({slot.read_text().strip() for slot in slots} - {""}),
        is_settled=row["is_settled"],
        background=_background(folder, name),
        current=_current(folder, name),
    )


def _background(folder: Path, name: str) -> frozenset[int]:
    last: dict[str, str] = {}
    for diary in folder.glob(f"*/home/liftlock/apps/{name}/shared/diary"):
        for line in diary.read_text().splitlines():
            verb, _, number = line.partition(" ")
            last[number] = verb
    return frozenset(int(number) for number, verb in last.items() if verb == "start")


def _current(folder: Path, name: str) -> int | None:
    links = list(folder.glob(f"*/home/liftlock/apps/{name}/current"))
    return int(links[0].readlink().name.rpartition("-")[2]) if links else None


def wrong(history: History) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is not whole, and the events that say who should be in service."""
    for one in history.served:
        jobs = [job for job in history.jobs if job.instance == one.instance]
        told = _turns(jobs)
        active, evidence = _told(told), tuple(map(str, told[-4:]))
        if active != one.active:
            yield (
                f"{one.instance}: {_names(one.active)} serve, told were {_names(active)}",
                evidence,
            )
        if one.routed != one.wanted:
            yield f"{one.instance}: routed to {set(one.routed)}, not {set(one.wanted)}", evidence
        if not one.is_settled:
            yield f"{one.instance}: its router was not read back", evidence
        if any(map(_is_uncertain, jobs)):
            continue
        if one.background != one.active:
            what = f"background of {_names(one.background)} runs, of {_names(one.active)} serve"
            yield f"{one.instance}: {what}", evidence
        if one.active and one.current != max(one.active):
            yield f"{one.instance}: `current` leads to {one.current}", evidence


def _turns(jobs: list[Job]) -> list[Event]:
    """Events of app servers that went into service or out of it, in their order."""
    kinds = {"app_server.activated", "app_server.deactivated"}
    found = [event for job in jobs for event in job.events if event.type in kinds]
    return sorted(found, key=lambda event: (event.at, event.seq))


def _told(turns: list[Event]) -> frozenset[int]:
    active: set[int] = set()
    for event in turns:
        number = int(event.data["name"].rpartition(" ")[2])
        (active.add if event.type == "app_server.activated" else active.discard)(number)
    return frozenset(active)


def _is_uncertain(job: Job) -> bool:
    """It could not undo everything, or passed over a host that was gone."""
    passed = any("Passed over" in str(event.data.get("note")) for event in job.events)
    return passed or (job.kind == "activate" and job.outcome not in {*_CERTAIN, None})


def _names(numbers: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "none"
