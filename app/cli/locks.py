"""`liftlock locks`: who keeps whom from working, and how a person ends that."""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import holding, session
from app.cli.client import path
from app.cli.errors import Exit, UsageError
from app.cli.noun import Noun
from app.cli.output import Output
from app.cli.session import Session
from app.cli.text import cell

app = Noun(name="locks", help="Who keeps others from working, and why.", no_args_is_help=True)

_LISTED = [
    ("name", "name"),
    ("who", "actor"),
    ("what", "what"),
    ("for", "for"),
    ("alive", "holder.alive"),
    ("waiting", "waiting"),
]
#: What a table of 80 columns has room for beside the rest.
_MOST_WORDS = 30

Name = Annotated[str, typer.Argument(help="As in the list; an id may stand for the name in it.")]
Reason = Annotated[
    str,
    typer.Option(help="Why; the job that had it tells, or the API's log (lock.lifted)."),
]


@app.verb("list")
def list_(ctx: typer.Context) -> None:
    """List the locks that are held: by jobs, and by people who placed one.

    Example:
      liftlock locks list

    """
    here = session.of(ctx)
    found = here.api.items(path("locks"))
    if not here.output.json_mode:
        found = [_row(lock) for lock in found]
    here.output.items(found, _LISTED, "Nobody holds a lock.")


@app.verb()
def show(ctx: typer.Context, name: Name) -> None:
    """Show who holds a lock: who, what, since when, last line, alive, safe to break, what next.

    Examples:
      liftlock locks show instance:shop
      liftlock locks show manual:all --json

    """
    here = session.of(ctx)
    _show(here.output, here.api.get(path("locks", name)))


@app.verb()
def place(
    ctx: typer.Context,
    scope: Annotated[str, typer.Argument(help="all, host:NAME or instance:NAME.")],
    message: Annotated[str, typer.Option(help="Why; shown to whoever asks for a job.")],
) -> None:
    """Keep jobs from beginning until the lock is broken. What has begun goes on.

    Nobody waits for it: new jobs are refused with the message, and jobs that wait end as
    failed when their turn comes.

    Examples:
      liftlock locks place all --message "No deploys today: inventory."
      liftlock locks place host:web-1 --message "New disks, until noon."

    """
    here = session.of(ctx)
    made = here.api.post(path("locks"), {"on": scope, "message": message})
    if here.output.json_mode:
        here.output.json(made)
        return
    name = cell(made["name"])
    here.output.line(f"Placed {name}: nothing new begins there.")
    here.output.line(f"  lift     {_command(name, made['token'], 'REASON')}")


@app.verb("break")
def break_(
    ctx: typer.Context,
    name: Name,
    *,
    reason: Reason,
    lock_token: Annotated[
        int | None, typer.Option(min=0, help="The token you saw; with --yes it is needed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also when its holder is alive.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Lift a lock that a person placed, or take a job's lock away: that job ends as failed.

    It shows the holder first, and asks. Nothing is undone; what still runs on the host is
    ended by the next job that needs the lock there. To stop a job in good order: liftlock jobs
    cancel ID.

    Examples:
      liftlock locks break manual:all --reason "the inventory is done"
      liftlock locks break instance:shop --reason "its host burnt" --lock-token 7 --yes

    """
    here = session.of(ctx)
    lock = here.api.get(path("locks", name))
    _check_seen(lock, lock_token, yes=yes)
    if not here.output.json_mode:
        _show(here.output, lock)
    if not yes:
        _check_idle(lock, reason, force=force)
        again = _command(name, lock["token"], reason, force=force) + " --yes"
        if not here.confirm(_question(lock), otherwise=again):
            here.output.line("Nothing was broken.")
            raise typer.Exit(Exit.REFUSED)
    query = {"reason": reason, "force": force}
    _say_broken(
        here, here.api.remove_seen(path("locks", name), version=int(lock["token"]), **query)
    )


def _row(lock: Mapping[str, Any]) -> dict[str, Any]:
    words = holding.what(lock)
    shown = words if len(words) <= _MOST_WORDS else f"{words[: _MOST_WORDS - 1]}…"
    waiting = len(lock.get("waiting") or ())
    return {**lock, "what": shown, "for": holding.age(lock.get("since")), "waiting": waiting}


def _show(output: Output, lock: Mapping[str, Any]) -> None:
    if output.json_mode:
        output.json(lock)
        return
    told = holding.answers(lock)
    *names, last = told
    output.show(told, [(name, name) for name in names])
    for waiter in lock.get("waiting") or ():
        output.line(f"  {_waiter(waiter)}")
    output.show(told, [(last.ljust(max(map(len, names))), last)])


def _waiter(waiter: Mapping[str, Any]) -> str:
    who = f"{cell(waiter.get('kind'))} by {cell(waiter.get('actor'))}"
    place, job = cell(waiter.get("position")), cell(waiter.get("job"))
    return f"{place}. job {job} ({who}, for {holding.age(waiter.get('since'))})"


def _check_seen(lock: Mapping[str, Any], token: int | None, *, yes: bool) -> None:
    """What is broken must be what a person has looked at."""
    name, present = cell(lock.get("name")), lock["token"]
    if token is None and yes:
        raise UsageError(
            "With --yes name the token that you saw: the lock may have another holder by now.",
            hint=f"liftlock locks show {name}",
        )
    if token not in {None, present}:
        raise UsageError(
            f"The token of {name} is {present} now, not {token}: its holder has changed.",
            hint=f"Look again: liftlock locks show {name}",
        )


def _check_idle(lock: Mapping[str, Any], reason: str, *, force: bool) -> None:
    """Nobody is asked for what the API would refuse; with --yes it says so itself."""
    if not force and (lock.get("holder") or {}).get("alive"):
        again = _command(cell(lock.get("name")), lock["token"], reason, force=True)
        told = f"{cell(lock.get('advice')).rstrip('.')}. Or, knowing that nothing is undone:"
        raise UsageError(holding.busy(lock), hint=f"{told} {again} --yes")


def _question(lock: Mapping[str, Any]) -> str:
    holder = lock.get("holder")
    if holder is None:
        return f"Lift {cell(lock.get('name'))}?"
    first = "Its worker is ALIVE. " if holder.get("alive") else ""
    return f"{first}End job {cell(holder.get('job'))} as failed, with nothing undone?"


def _command(name: str, token: object, reason: str, *, force: bool = False) -> str:
    said = f"liftlock locks break {shlex.quote(name)} --lock-token {cell(token)}"
    return f"{said} --reason {shlex.quote(reason)}{' --force' if force else ''}"


def _say_broken(here: Session, done: Mapping[str, Any]) -> None:
    if here.output.json_mode:
        here.output.json(done)
        return
    job = done.get("job")
    name = cell(done.get("name"))
    here.output.line(f"Broke {name}: job {cell(job)} is failed." if job else f"Lifted {name}.")
    if done.get("advice"):
        here.output.line(f"  next     {cell(done['advice'])}")
