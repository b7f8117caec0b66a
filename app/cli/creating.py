"""`liftlock instances create`: a site and its secrets."""

from collections.abc import Mapping
from typing import Annotated

import typer

from app.cli import arguments, session
from app.cli.client import Api, path
from app.cli.errors import CliError
from app.cli.instance_fields import (
    Certificate,
    Key,
    Label,
    Pool,
    Provider,
    RetentionDays,
    RouterName,
    Setting,
    TargetCount,
    TlsOption,
    fields,
)

Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="KEY=@FILE|-", help="A secret; `-` reads standard input."),
]


def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    *,
    recipe: Annotated[str, typer.Option(help="A recipe: django, or django@3 for a version.")],
    repository: Annotated[str, typer.Option(help="Git URL or path, or pypi:Package.")],
    revision: Annotated[str, typer.Option(help="Tag, branch, commit or version.")],
    host: Annotated[str | None, typer.Option(help="Where it lives.")] = None,
    pool: Pool = None,
    provider: Provider = None,
    label: Label = None,
    target_count: TargetCount = None,
    retention_days: RetentionDays = None,
    router: RouterName = None,
    domain: Annotated[str | None, typer.Option(help="Its domain name.")] = None,
    tls: TlsOption = None,
    certificate: Certificate = None,
    key: Key = None,
    setting: Setting = None,
    secret: Secret = None,
) -> None:
    r"""Describe a site. Nothing runs until it is provisioned.

    Examples:
      liftlock instances create shop --recipe django --host web-1 \
          --repository https://git.example/shop.git --revision v1 --set WORKERS=2
      liftlock instances create intranet --recipe django --host web-1 --revision main \
          --repository git@git.example:intranet.git --secret DEPLOY_KEY=@deploy_key

    """
    here = session.of(ctx)
    values = arguments.secrets(secret or ())
    own = {"name": name, "recipe": recipe, "repository": repository, "revision": revision}
    settings = {"settings": arguments.pairs(setting or (), option="--set")}
    given = fields(
        place=(host, pool, provider),
        route=(router, domain),
        tls=(tls, certificate, key),
        count=(target_count, retention_days),
        label=label,
    )
    made = here.api.post(path("instances"), {**own, **settings, **given})
    _put_secrets(here.api, name, values)
    if here.output.json_mode:
        here.output.json(made)
        return
    here.output.line(f"Created instance {made['name']} from recipe {made['recipe']}.")
    here.output.line(f"  next     liftlock provision {made['name']} --wait")


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
