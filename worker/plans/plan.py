"""A plan: the ordered steps of one job, and how it reads to a person."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from pydantic import JsonValue

from app.domain.job import JobKind
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.machine import CreateMachine, DestroyMachine
from worker.steps.package import PlacePackage
from worker.steps.step import (
    Action,
    Command,
    Note,
    OnUnknown,
    PortFree,
    Probe,
    ReadHostKey,
    Step,
    Upload,
    Wait,
    Watch,
)


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
        "on_cancel": step.on_cancel,
        "on_unknown": _unknown(step.on_unknown),
        "again": step.again,
        "at": step.at,
        "undo_first": step.undo_first,
        "dispensable": step.dispensable,
        "harmless": step.harmless,
        "finds": step.finds,
        "stay": list(step.stay.facts) if step.stay else None,
        "unless": list(step.unless),
    }


def _unknown(what: OnUnknown | Command) -> JsonValue:
    return {"probe": _command(what)} if isinstance(what, Command) else what.value


def _action(action: Action) -> dict[str, JsonValue]:  # noqa: C901 - a table
    found: dict[str, JsonValue]
    match action:
        case Command():
            found = {"action": "command", **_command(action)}
        case Upload():
            found = {"action": "upload", "source": str(action.source), "to": action.to}
        case Probe():
            found = {"action": "probe", **_probe(action)}
        case Watch():
            found = {"action": "watch", **_watch(action)}
        case PortFree():
            found = {"action": "port-free", "address": action.address, "port": action.port}
        case PlacePackage():
            found = {"action": "place-package", "sha256": action.sha256, "to": action.to}
        case ReadHostKey():
            found = {"action": "read-host-key"}
        case Note():
            found = {"action": "note", "what": action.what, "data": dict(action.data)}
        case Wait():
            found = {"action": "wait", **_wait(action)}
        case ReleaseAssets() | PlaceManifest() | VerifyAssets():
            found = _assets(action)
        case CreateMachine() | DestroyMachine():
            verb = "create" if isinstance(action, CreateMachine) else "destroy"
            found = {
                "action": f"{verb}-machine",
                "provider": action.provider,
                "tag": action.tag,
            }
    return found


def _assets(action: ReleaseAssets | PlaceManifest | VerifyAssets) -> dict[str, JsonValue]:
    place = action.place
    found: dict[str, JsonValue] = {"store": place.store, "base_url": place.base_url}
    match action:
        case ReleaseAssets():
            how: dict[str, JsonValue] = {
                "lenient": action.static.lenient,
                "js_modules": action.static.js_modules,
                "ignore": list(action.static.ignore),
                "compress": list(action.static.compress),
                "bundles": {name: one.output for name, one in action.static.bundles.items()},
            }
            return {"action": "release-assets", "tree": action.tree, **found, **how}
        case PlaceManifest():
            return {"action": "place-manifest", "to": action.to, **found}
        case VerifyAssets():
            return {"action": "verify-assets", **found}


def _wait(wait: Wait) -> dict[str, JsonValue]:
    return {
        "until": wait.until.isoformat() if wait.until else None,
        "probe": _command(wait.probe) if wait.probe else None,
        "every": wait.every,
        "longest": wait.longest,
    }


def _command(command: Command) -> dict[str, JsonValue]:
    secrets = dict.fromkeys(command.secrets, "[secret]")
    return {
        "script": command.script,
        "env": _sorted({**command.env, **secrets}),
        "paths": _sorted(command.paths),
        "cwd": command.cwd,
        "timeout": command.timeout,
        "silence": command.silence,
        "reports": list(command.reports),
    }


def _watch(watch: Watch) -> dict[str, JsonValue]:
    """Without what counts for nothing in it."""
    return {
        "probes": [
            {name: value for name, value in _probe(probe).items() if name not in {"tries", "every"}}
            for probe in watch.probes
        ],
        "seconds": watch.seconds,
        "every": watch.every,
        "most_wrong": watch.most_wrong,
    }


def _probe(probe: Probe) -> dict[str, JsonValue]:
    values = {item.name: getattr(probe, item.name) for item in fields(probe)}
    # `name` is the step's own.
    server_name, _ = values.pop("name"), values.pop("on_failure")
    alive = _command(probe.alive) if probe.alive else None
    return {**values, "server_name": server_name, "status": list(probe.status), "alive": alive}


def _sorted(values: Mapping[str, str]) -> dict[str, JsonValue]:
    return {name: values[name] for name in sorted(values)}
