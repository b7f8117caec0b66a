"""`liftlock hosts enroll`: a person compares the fingerprint, then the machine's key is pinned."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import session, waiting
from app.cli.client import path
from app.cli.errors import Exit, UsageError
from app.cli.session import Session


def enroll(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name or id.")],
    fingerprint: Annotated[
        str | None, typer.Option(help="Pin the key if it has this fingerprint (SHA256:…).")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Pin whatever key it shows now.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the key.")] = 120,
) -> None:
    """Read the machine's host key, show its fingerprint and pin it once it is confirmed.

    Compare the fingerprint with what the machine itself says:
      ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub

    Examples:
      liftlock hosts enroll web-1
      liftlock hosts enroll web-1 --fingerprint SHA256:0dmKmN7Nq5n8mXJf3Q0lW5yqJbq0v6v9ZbJ2nW2m3hE

    """
    here = session.of(ctx)
    job = here.api.post(path("hosts", name, "enroll"), {})
    job = waiting.until_over(here, job, timeout=timeout)
    if job["status"] != "succeeded":
        raise waiting.failure(job)
    host = here.api.get(path("hosts", name))
    found = str(host.get("pending_fingerprint") or host.get("fingerprint"))
    here.output.line(f"Host {host['name']} ({host['address']}) shows the key {found}")
    if not _is_confirmed(here, host, found, fingerprint, yes=yes):
        here.output.line("Nothing was pinned.")
        raise typer.Exit(Exit.REFUSED)
    pinned = here.api.post(path("hosts", name, "enroll"), {"fingerprint": found})
    if here.output.json_mode:
        here.output.json(pinned)
    else:
        here.output.line(f"Pinned. Host {host['name']} is enrolled.", style="green")
        if pinned.get("replaced_fingerprint"):
            here.output.line(f"  instead of {pinned['replaced_fingerprint']}")


def _is_confirmed(
    here: Session, host: Mapping[str, Any], found: str, expected: str | None, *, yes: bool
) -> bool:
    name = host["name"]
    if expected is not None:
        if expected != found:
            raise UsageError(
                f"Host {name} shows another key than expected; nothing was pinned.",
                detail=f"expected {expected}\nfound    {found}",
                hint="Ask whoever runs the machine; somebody may be in between.",
            )
        return True
    if yes:
        return True
    pinned = host.get("fingerprint")
    if pinned and pinned != found:
        here.output.note(f"It was pinned as {pinned} until now.")
    again = f"liftlock hosts enroll {name} --fingerprint {found}"
    return here.confirm("Is this the machine's own fingerprint?", otherwise=again)
