"""`liftlock instances`: long-lived sites."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import arguments, session
from app.cli.client import Api, path
from app.cli.errors import CliError, Exit, UsageError
from app.cli.noun import Noun

app = Noun(name="instances", help="Long-lived sites.", no_args_is_help=True)

_LISTED = [
    ("name", "name"),
    ("recipe", "recipe"),
    ("revision", "revision"),
    ("host", "host"),
    ("domain", "domain"),
    ("updated", "updated_at"),
]
_SHOWN = [
    ("name", "name"),
    ("id", "id"),
    ("recipe", "recipe"),
    ("repository", "repository"),
    ("revision", "revision"),
    ("host", "host"),
    ("domain", "domain"),
    ("settings", "settings"),
    ("secrets", "secrets"),
    ("updated", "updated_at"),
]
_APP_SERVERS = [
    ("app server", "name"),
    ("status", "status"),
    ("active", "is_active"),
    ("revision", "revision"),
    ("host", "host.name"),
    ("port", "port"),
    ("url", "url"),
    ("created", "created_at"),
]

Name = Annotated[str, typer.Argument(help="Its name or id.")]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; repeat it.")
]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="KEY=@FILE|-", help="A secret; `-` reads standard input."),
]


@app.verb()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    *,
    recipe: Annotated[str, typer.Option(help="A recipe: django, or django@3 for a version.")],
    repository: Annotated[str, typer.Option(help="Git URL or path, or pypi:Package.")],
    revision: Annotated[str, typer.Option(help="Tag, branch, commit or version.")],
    host: Annotated[str | None, typer.Option(help="Where it lives.")] = None,
    domain: Annotated[str | None, typer.Option(help="Its domain name.")] = None,
    setting: Setting = None,
    secret: Secret = None,
) -> None:
    r"""Describe a site. Nothing runs until it is provisioned.

    Examples:
      liftlock instances create shop --recipe django --host web-1 \
          --repository https://git.example/shop.git --revision v1 --set WORKERS=2
      liftlock instances create wiki --recipe trac --host web-1 \
          --repository pypi:Trac --revision 1.6
      liftlock instances create intranet --recipe django --host web-1 --revision main \
          --repository git@git.example:intranet.git --secret DEPLOY_KEY=@deploy_key

    """
    here = session.of(ctx)
    values = arguments.secrets(secret or ())
    body = {
        "name": name,
        "recipe": recipe,
        "repository": repository,
        "revision": revision,
        "settings": arguments.pairs(setting or (), option="--set"),
        "domain": domain,
        "host": host,
    }
    made = here.api.post(path("instances"), body)
    _put_secrets(here.api, name, values)
    if here.output.json_mode:
        here.output.json(made)
        return
    here.output.line(f"Created instance {made['name']} from recipe {made['recipe']}.")
    here.output.line(f"  next     liftlock provision {made['name']} --wait")


@app.verb("list")
def list_(ctx: typer.Context) -> None:
    """List the sites.

    Example:
      liftlock instances list

    """
    here = session.of(ctx)
    none = "There are no instances. Make one: liftlock instances create --help"
    here.output.items(here.api.items(path("instances")), _LISTED, none)


@app.verb()
def show(ctx: typer.Context, name: Name) -> None:
    """Show one site, its secrets' names and its app servers.

    Example:
      liftlock instances show shop

    """
    here = session.of(ctx)
    instance = here.api.get(path("instances", name))
    app_servers = here.api.items(path("instances", name, "app-servers"))
    kept = here.api.items(path("instances", name, "secrets"))
    if here.output.json_mode:
        here.output.json({**instance, "secrets": kept, "app_servers": app_servers})
        return
    instance["secrets"] = [item["name"] for item in kept]
    here.output.show(instance, _SHOWN)
    here.output.line()
    here.output.items(app_servers, _APP_SERVERS, "It has no app server yet.")


@app.verb("set")
def set_(
    ctx: typer.Context,
    name: Name,
    *,
    recipe: Annotated[str | None, typer.Option(help="Another recipe or version.")] = None,
    repository: Annotated[str | None, typer.Option(help="Git URL or path.")] = None,
    revision: Annotated[str | None, typer.Option(help="What to deploy by default.")] = None,
    host: Annotated[str | None, typer.Option(help="Where it lives.")] = None,
    domain: Annotated[str | None, typer.Option(help="Its domain name; '' for none.")] = None,
    setting: Setting = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Take a setting away; repeat it.")
    ] = None,
) -> None:
    """Change a site's description; what is not named stays. Running app servers keep theirs.

    Examples:
      liftlock instances set shop --revision v2
      liftlock instances set shop --set WORKERS=4 --unset DEBUG

    """
    here = session.of(ctx)
    own = {"recipe": recipe, "repository": repository, "revision": revision, "host": host}
    body: dict[str, Any] = {key: value for key, value in own.items() if value is not None}
    if domain is not None:
        body["domain"] = domain or None
    settings: dict[str, Any] = dict.fromkeys(unset or ())
    settings |= arguments.pairs(setting or (), option="--set")
    if settings:
        body["settings"] = settings
    if not body:
        raise UsageError("Nothing to change was named.", hint="liftlock instances set --help")
    here.output.show(here.api.change(path("instances", name), body), _SHOWN)


@app.verb()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a site and its secrets. Nothing on the host is touched.

    Example:
      liftlock instances delete shop --yes

    """
    here = session.of(ctx)
    again = f"liftlock instances delete {name} --yes"
    if not yes and not here.confirm(f"Forget instance {name}?", otherwise=again):
        raise typer.Exit(Exit.REFUSED)
    here.api.remove(path("instances", name), guarded=True)
    here.output.line(f"Deleted instance {name}.")


def _put_secrets(api: Api, name: str, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        try:
            api.put(path("instances", name, "secrets", key), {"value": value})
        except CliError as error:
            error.hint = (
                f"The instance exists, its secret {key} does not:"
                f" liftlock secrets set {name} {key} --file FILE"
            )
            raise
