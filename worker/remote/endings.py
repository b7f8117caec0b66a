"""The errors for steps that did not come to an end of their own."""

import posixpath

from worker.remote.errors import ConnectionLost, StepSilent, StepTimeout, StepVanished
from worker.remote.host import Address
from worker.steps.step import Command


def vanished(address: Address, name: str, *, missing: bool, why: str) -> StepVanished:
    """`why`: `reboot`, or `killed` and the last words of the step's own process."""
    reason, _, said = why.partition(" ")
    if missing:
        what = "its folder is gone; somebody removed it"
    elif reason == "reboot":
        what = "the host was restarted while it ran"
    else:
        what = f"its process is gone; somebody killed it, or memory ran out. {said}".strip()
    return StepVanished(
        f"Step {name} on host {address} ended without an exit code: {what}.".replace("..", "."),
        hint=_look(address, name, "look at what it left"),
    )


def lost(address: Address, name: str, *, losses: int, away: float, why: str) -> ConnectionLost:
    return ConnectionLost(
        f"The connection to host {address} was lost while step {name} ran, {losses} times, the "
        f"last answer came {away:.0f} s ago: {why}. How the step ended is unknown.",
        hint=_look(address, name, "when the host is back, look at the step's log and exit code"),
    )


def overdue(
    address: Address, name: str, command: Command, *, silent: bool, survivors: str
) -> StepSilent | StepTimeout:
    """`survivors`: what is left of it after it was killed."""
    kind: type[StepSilent | StepTimeout] = StepSilent if silent else StepTimeout
    did = (
        f"said nothing for {command.silence:g} s"
        if silent
        else f"ran longer than {command.timeout:g} s"
    )
    detail = f"Step {name} on host {address} {did}. "
    if survivors:
        return kind(
            f"{detail}It could not be killed: {survivors}",
            hint=f"End what is left on {address.host}: ps -eo pid,stat,args; sudo kill -9 PID",
        )
    setting = "silence" if silent else "timeout"
    return kind(
        f"{detail}It was killed, with everything it had started.",
        hint=f"Read its output to see where it stood; give it a longer `{setting}` in the recipe "
        "if it only needs more time.",
    )


def _look(address: Address, name: str, why: str) -> str:
    folder = posixpath.join(address.base_dir, "steps", name)
    ssh = f"ssh -p {address.port} {address.user}@{address.host}"
    return f"To see more ({why}): {ssh} 'tail -n 20 {folder}/log; cat {folder}/rc'"
