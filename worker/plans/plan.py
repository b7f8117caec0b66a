"""A plan: the ordered steps of one job, and how it reads to a person."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from pydantic import JsonValue

from app.domain.job import JobKind
from worker.steps.step import Action, Command, Note, PortFree, Probe, ReadHostKey, Step


@dataclass(frozen=True)
class Plan:
    """Steps in order; `on_failure` runs after the undo, each step guarded for itself."""

    kind: JobKind
    steps: tuple[Step, ...]
    on_failure: tuple[Step, ...] = ()
    #: Steps before this number leave nothing worth a look: when one of them fails, `on_failure`
    #: is left out.
    diagnose_from: int = 1
    #: Where a person looks when a step fails and nothing more specific is known.
    hint: str = ""

    def describe(self) -> list[dict[str, JsonValue]]:
        """The steps as JSON: plain values shown, secrets by name only."""
        return [
            _step(number, step, when="on_failure" if number > len(self.steps) else "always")
            for number, step in enumerate((*self.steps, *self.on_failure), start=1)
        ]


def _step(number: int, step: Step, *, when: str) -> dict[str, JsonValue]:
    return {
        "number": number,
        "name": step.name,
        "title": step.title,
        "when": when,
        **_action(step.action),
        "undo": _action(step.undo) if step.undo else None,
    }


def _action(action: Action) -> dict[str, JsonValue]:
    match action:
        case Command():
            return {"action": "command", **_command(action)}
        case Probe():
            alive = _command(action.alive) if action.alive else None
            return {"action": "probe", **_plain(action, without=("alive",)), "alive": alive}
        case PortFree():
            return {"action": "port-free", "port": action.port}
        case ReadHostKey():
            return {"action": "read-host-key"}
        case Note():
            return {"action": "note", "what": action.what, "data": dict(action.data)}


def _command(command: Command) -> dict[str, JsonValue]:
    secrets = dict.fromkeys(command.secrets, "[secret]")
    return {
        "script": command.script,
        "env": _sorted({**command.env, **secrets}),
        "paths": _sorted(command.paths),
        "cwd": command.cwd,
        "timeout": command.timeout,
        "reports": list(command.reports),
    }


def _plain(action: Probe, *, without: tuple[str, ...]) -> dict[str, JsonValue]:
    """The fields that are JSON already."""
    hidden = {*without, "on_failure"}
    values = {item.name: getattr(action, item.name) for item in fields(action)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in hidden
    }


def _sorted(values: Mapping[str, str]) -> dict[str, JsonValue]:
    return {name: values[name] for name in sorted(values)}
