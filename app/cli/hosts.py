"""`liftlock hosts`: machines reached by SSH."""

import getpass
from typing import Annotated, Any, Literal

import typer

from app.cli import arguments, enrolling, session
from app.cli.client import path
from app.cli.errors import Exit, UsageError
from app.cli.noun import Noun
from app.cli.output import Output
from app.domain.host import Supervisor

app = Noun(name="hosts", help="Machines reached by SSH.", no_args_is_help=True)

#: What a person may say of a host; the other states are found by jobs.
_Settable = Literal["ready", "cordoned", "quarantined"]

_LISTED = [
    ("name", "name"),
    ("address", "address"),
    ("user", "user"),
    ("status", "status"),
    ("enrolled", "enrolled"),
    ("supervisor", "supervisor"),
    ("capacity", "capacity"),
    ("reason", "status_reason.detail"),
]
_SHOWN = [
    ("name", "name"),
    ("id", "id"),
    ("address", "address"),
    ("port", "port"),
    ("user", "user"),
    ("status", "status"),
    ("reason", "status_reason.detail"),
    ("found by job", "status_reason.job"),
    ("since", "status_reason.at"),
    ("enrolled", "enrolled"),
    ("fingerprint", "fingerprint"),
    ("waiting for confirmation", "pending_fingerprint"),
    ("base directory", "base_dir"),
    ("sudo", "sudo"),
    ("jump host", "jump_host"),
    ("supervisor", "supervisor"),
    ("supervisor options", "supervisor_options"),
    ("site address", "site_address"),
    ("pool", "pool"),
    ("labels", "labels"),
    ("places", "places"),
    ("capacity", "capacity"),
    ("first port", "port_first"),
    ("last port", "port_last"),
    ("updated", "updated_at"),
]

app.verb()(enrolling.enroll)

Name = Annotated[str, typer.Argument(help="Its name or id.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="SSH port [22].")]
User = Annotated[str | None, typer.Option(help="Who Liftlock logs in as [you].")]
BaseDir = Annotated[
    str | None, typer.Option(help="Where it keeps its files, below the home [liftlock].")
]
Sudo = Annotated[bool | None, typer.Option("--sudo/--no-sudo", help="Work through sudo.")]
Jump = Annotated[str | None, typer.Option(help="Reach it through this host; '' for none.")]
SupervisedBy = Annotated[Supervisor | None, typer.Option(help="Who keeps sites running [none].")]
SupervisorOption = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat it for several.")
]
Pool = Annotated[str | None, typer.Option(help="The pool it belongs to; '' for none.")]
Label = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat it.")]
SiteAddress = Annotated[
    str | None, typer.Option(help="Where its sites listen, for routers elsewhere [127.0.0.1].")
]
Places = Annotated[
    int | None, typer.Option(min=0, help="App servers a pool may put on it; 0: no limit [0].")
]
Capacity = Annotated[int | None, typer.Option(min=1, help="Jobs side by side [2].")]
Ports = Annotated[str | None, typer.Option(metavar="A-B", help="For sites [20000-29999].")]


@app.verb()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    address: Annotated[str, typer.Argument(help="DNS name or IP address.")],
    *,
    user: User = None,
    port: Port = None,
    base_dir: BaseDir = None,
    sudo: Sudo = None,
    jump: Jump = None,
    supervisor: SupervisedBy = None,
    supervisor_option: SupervisorOption = None,
    site_address: SiteAddress = None,
    pool: Pool = None,
    label: Label = None,
    places: Places = None,
    capacity: Capacity = None,
    ports: Ports = None,
    host_key: Annotated[
        str | None, typer.Option(help="Pin this public key at once: 'ssh-ed25519 AAAA…' or @FILE.")
    ] = None,
) -> None:
    """Register a machine. Unless --host-key pins its key, enroll it next.

    Examples:
      liftlock hosts add web-1 192.0.2.10 --user deploy
      liftlock hosts add db-1 10.0.0.5 --user deploy --sudo --jump web-1 --supervisor systemd
      liftlock hosts add web-2 192.0.2.11 --user deploy --host-key @web-2.pub

    """
    here = session.of(ctx)
    fields = _fields(
        port=port,
        base_dir=base_dir,
        sudo=sudo,
        jump=jump,
        supervisor=supervisor,
        supervisor_option=supervisor_option,
        site_address=site_address,
        pool=pool,
        label=label,
        places=places,
        capacity=capacity,
        ports=ports,
    )
    body = {"name": name, "address": address, "user": user or _me(), **fields}
    if host_key is not None:
        body["host_key"] = _key(host_key)
    _say_added(here.output, here.api.post(path("hosts"), body))


def _say_added(output: Output, made: dict[str, Any]) -> None:
    if output.json_mode:
        output.json(made)
        return
    output.line(f"Added host {made['name']} ({made['user']}@{made['address']}).")
    if not made.get("enrolled"):
        output.line(f"  next     liftlock hosts enroll {made['name']}")
    output.line("  allow    liftlock identity show   (the line for its authorized_keys)")


@app.verb("list")
def list_(
    ctx: typer.Context,
    pool: Annotated[str | None, typer.Option(help="Only those of this pool.")] = None,
) -> None:
    """List the machines.

    Examples:
      liftlock hosts list
      liftlock hosts list --pool web

    """
    here = session.of(ctx)
    where = f" in pool {pool}" if pool else ""
    none = f"There are no hosts{where}. Add one: liftlock hosts add NAME ADDRESS"
    here.output.items(here.api.items(path("hosts"), pool=pool), _LISTED, none)


@app.verb()
def show(ctx: typer.Context, name: Name) -> None:
    """Show one machine.

    Example:
      liftlock hosts show web-1

    """
    here = session.of(ctx)
    here.output.show(here.api.get(path("hosts", name)), _SHOWN)


@app.verb("set")
def set_(
    ctx: typer.Context,
    name: Name,
    *,
    address: Annotated[str | None, typer.Option(help="DNS name or IP address.")] = None,
    user: User = None,
    port: Port = None,
    base_dir: BaseDir = None,
    sudo: Sudo = None,
    jump: Jump = None,
    supervisor: SupervisedBy = None,
    supervisor_option: SupervisorOption = None,
    site_address: SiteAddress = None,
    pool: Pool = None,
    label: Label = None,
    places: Places = None,
    capacity: Capacity = None,
    ports: Ports = None,
    status: Annotated[_Settable | None, typer.Option(help="`cordoned` takes no new work.")] = None,
) -> None:
    """Change a machine. What is not named stays; --label and --supervisor-option add.

    Examples:
      liftlock hosts set web-1 --capacity 4
      liftlock hosts set web-1 --status cordoned
      liftlock hosts set web-1 --status ready     (out of quarantine; failures count anew)
      liftlock hosts set web-2 --site-address 10.0.0.12 --pool web --places 20

    """
    here = session.of(ctx)
    own = {"address": address, "user": user, "status": status}
    shared = _fields(
        port=port,
        base_dir=base_dir,
        sudo=sudo,
        jump=jump,
        supervisor=supervisor,
        supervisor_option=supervisor_option,
        site_address=site_address,
        pool=pool,
        label=label,
        places=places,
        capacity=capacity,
        ports=ports,
    )
    body = shared | {key: value for key, value in own.items() if value is not None}
    if not body:
        raise UsageError("Nothing to change was named.", hint="liftlock hosts set --help")
    changed = here.api.change(path("hosts", name), body)
    here.output.show(changed, _SHOWN)


@app.verb()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a machine. Nothing on the machine itself is touched.

    Example:
      liftlock hosts delete web-1 --yes

    """
    here = session.of(ctx)
    again = f"liftlock hosts delete {name} --yes"
    if not yes and not here.confirm(f"Forget host {name}?", otherwise=again):
        raise typer.Exit(Exit.REFUSED)
    here.api.remove(path("hosts", name), guarded=True)
    here.output.line(f"Deleted host {name}.")


def _fields(**given: Any) -> dict[str, Any]:
    """The options that `add` and `set` share, as fields of the API; those not given are absent."""
    same = ("port", "base_dir", "sudo", "supervisor", "site_address", "capacity")
    fields = {name: given[name] for name in same if given[name] is not None}
    # An empty name takes it away.
    for option, name in (("jump", "jump_host"), ("pool", "pool")):
        if given[option] is not None:
            fields[name] = given[option] or None
    for option, name in (("supervisor_option", "supervisor_options"), ("label", "labels")):
        if given[option]:
            fields[name] = arguments.pairs(given[option], option=f"--{option.replace('_', '-')}")
    if given["places"] is not None:
        fields["places"] = given["places"] or None
    if given["ports"] is not None:
        fields["port_first"], fields["port_last"] = arguments.port_range(given["ports"])
    return fields


def _me() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("This user has no name.", hint="Give --user.") from error


def _key(text: str) -> str:
    return arguments.file_text(text[1:]).strip() if text.startswith("@") else text
