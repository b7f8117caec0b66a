"""`liftlock app-servers activate`, `deactivate`, `terminate`: jobs, and the way back."""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import session, traffic, waiting
from app.cli.client import path
from app.cli.errors import Exit, UsageError
from app.cli.job_commands import Timeout
from app.cli.noun import Noun
from app.cli.session import Session

Ref = Annotated[str, typer.Argument(help="Its id, or INSTANCE:NUMBER, such as shop:2.")]
Drain = Annotated[
    float | None, typer.Option(min=0, max=3600, help="Seconds for requests under way [30].")
]
Gone = Annotated[bool, typer.Option("--gone", help="You know that it is gone: no host is asked.")]
Reason = Annotated[str | None, typer.Option(help="With --gone: how you know that.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", "--follow", "-f", help="Wait with progress.")]


def register(app: Noun) -> None:
    for function in (activate, deactivate, terminate):
        app.verb()(function)


def activate(
    ctx: typer.Context,
    ref: Ref,
    *,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="REF", help="Another one that goes along; repeat it."),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Fewer than the instance wants will do.")
    ] = False,
    drain: Drain = None,
    watch: Annotated[
        float | None,
        typer.Option(
            min=0, max=3600, help="Seconds to watch the site; it goes back by itself [60]."
        ),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Put an app server into service, and out of it what is there now. No request is lost.

    Without --with, all running ones of its deployment go along. An older one that still
    runs is the way back.

    Examples:
      liftlock app-servers activate shop:3 --wait
      liftlock app-servers activate shop:3 --with shop:4 --watch 300
      liftlock app-servers activate shop:2 --wait     (back to the one before)

    """
    here = session.of(ctx)
    body = {"app_servers": others or None, "partial": partial or None, "watch": watch}
    back = _way_back(here, ref)
    job = _ask(here, ref, "activate", {**body, "drain": drain})
    _finish(here, job, wait, timeout, back and f"  back     {back}")


def deactivate(
    ctx: typer.Context,
    ref: Ref,
    *,
    drain: Drain = None,
    gone: Gone = False,
    reason: Reason = None,
    yes: Yes = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Take an app server out of service; it goes on running.

    Without another one in service visitors get 503, and are asked to come again. With --gone
    the router is told by a job of its own, once it can be reached.

    Examples:
      liftlock app-servers deactivate shop:3 --wait
      liftlock app-servers deactivate shop:3 --gone --reason "the machine was scrapped"

    """
    here = session.of(ctx)
    wishes = _stated(gone, reason)
    if gone:
        question = f"Record that app server {ref} is gone, and so not in service?"
        _confirm(here, question, f"deactivate {ref}", wishes, yes)
    job = _ask(here, ref, "deactivate", {"drain": drain, **wishes})
    back = "" if gone else f"  back     liftlock app-servers activate {ref}"
    _finish(here, job, wait, timeout, back)


def terminate(
    ctx: typer.Context,
    ref: Ref,
    *,
    gone: Gone = False,
    reason: Reason = None,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Though the site's only data goes with its machine.")
    ] = False,
    yes: Yes = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Stop an app server that is not in service, and remove its files. There is no way back.

    The last one on a machine that a provider made takes the machine along, with all that is
    on it. When that is the site's only data, it is refused without --with-data.

    Examples:
      liftlock app-servers terminate shop:1 --yes --wait
      liftlock app-servers terminate shop:1 --gone --reason "the machine was scrapped"

    """
    here = session.of(ctx)
    wishes = {**_stated(gone, reason), "with_data": with_data or None}
    question = f"Stop app server {ref} and remove it?"
    if with_data:
        question = f"Remove app server {ref} and its machine, with the site's only data on it?"
    if gone:
        question = f"Record that app server {ref} is gone, without asking its host?"
    _confirm(here, question, f"terminate {ref}", wishes, yes)
    _finish(here, _ask(here, ref, "terminate", wishes), wait, timeout, "")


def _stated(gone: bool, reason: str | None) -> dict[str, Any]:
    """That it is gone and how somebody knows, for the body."""
    if gone and not reason:
        raise UsageError("--gone needs a reason.", hint='Add --reason "how you know it".')
    return {"gone": gone or None, "reason": reason}


def _confirm(here: Session, question: str, verb: str, wishes: Mapping[str, Any], yes: bool) -> None:
    stated = f" --gone --reason {shlex.quote(wishes['reason'])}" if wishes["gone"] else ""
    stated += " --with-data" if wishes.get("with_data") else ""
    again = f"liftlock app-servers {verb}{stated} --yes"
    if not yes and not here.confirm(question, otherwise=again):
        raise typer.Exit(Exit.REFUSED)


def _way_back(here: Session, ref: str) -> str:
    """To what serves now; empty if that is this one. Programs find it in the API."""
    if here.output.json_mode:
        return ""
    mine = here.api.get(path("app-servers", ref))
    instance = str(mine["instance"]["name"])
    active = here.api.get(path("instances", instance)).get("active_app_servers") or ()
    others = traffic.refs(instance, [one for one in active if one["id"] != mine["id"]])
    if others:
        return traffic.activate(others)
    return "" if active else f"liftlock app-servers deactivate {ref}"


def _ask(here: Session, ref: str, verb: str, wishes: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in wishes.items() if value is not None}
    job: dict[str, Any] = here.api.post(path("app-servers", ref, verb), body)
    return job


def _finish(
    here: Session, job: Mapping[str, Any], wait: bool, timeout: float | None, hint: str
) -> None:
    """Wait for the job if that was asked for; the way back comes last."""
    code = Exit.OK
    if wait:
        code = waiting.result(here.output, waiting.until_over(here, job, timeout=timeout))
    else:
        waiting.accepted(here, job, wait=False, timeout=None)
    if hint and code is Exit.OK:
        here.output.line(hint)
    raise typer.Exit(code)
