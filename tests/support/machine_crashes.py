"""Seams of a worker that dies while it has a machine made or removed: `also` of `Arena.worker`."""

from typing import Any

from app import services
from app.domain.machine import Machine, MachineStatus
from tests.support.crashing import after, before
from worker.providers.executable import ExecProvider


def asked_for_nothing() -> None:
    """That it will be asked for is recorded."""
    before(ExecProvider, "create")


def made() -> None:
    """Its address is known to the dead worker alone."""
    after(ExecProvider, "create")


def ready() -> None:
    """It is recorded as ready; its host is not known."""
    after(services.machines, "record", _becomes(MachineStatus.READY))


def host_known() -> None:
    after(services.machines, "reached")


def removed() -> None:
    """The provider has said so."""
    after(ExecProvider, "destroy")


def _becomes(status: MachineStatus) -> Any:
    def look(*args: Any, **_: Any) -> bool:
        return any(isinstance(one, Machine) and one.status is status for one in args)

    return look
