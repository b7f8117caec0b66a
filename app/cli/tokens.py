"""`liftlock tokens`: API tokens."""

from typing import Annotated, Any

import typer

from app.cli import admin, session
from app.cli.client import path
from app.cli.noun import Noun
from app.cli.output import Output
from app.domain.scope import Scope

app = Noun(name="tokens", help="API tokens.", no_args_is_help=True)

_SHOWN = [
    ("id", "id"),
    ("name", "name"),
    ("scope", "scope"),
    ("prefix", "prefix"),
    ("expires", "expires_at"),
    ("last used", "last_used_at"),
    ("revoked", "revoked_at"),
]


@app.verb()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for; shown in lists and in jobs.")],
    *,
    scope: Annotated[Scope, typer.Option(help="What it may do.")] = Scope.DEPLOY,
    expires_in_days: Annotated[
        int | None, typer.Option("--expires-in-days", min=1, help="Ends after so many days.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Write to the database, without API and token.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the token alone.")] = False,
) -> None:
    """Make a token; it is shown this once.

    Examples:
      liftlock tokens create ci --scope deploy --expires-in-days 90
      export LIFTLOCK_TOKEN=$(liftlock tokens create --local admin --scope admin --quiet)

    """
    here = session.of(ctx)
    if local:
        made = admin.create_token(name=name, scope=scope, expires_in_days=expires_in_days)
    else:
        body = {"name": name, "scope": scope, "expires_in_days": expires_in_days}
        made = here.api.post(path("tokens"), body)
    _show(here.output, made, quiet=quiet)


@app.verb("list")
def list_(ctx: typer.Context) -> None:
    """List tokens, without their values.

    Example:
      liftlock tokens list

    """
    here = session.of(ctx)
    here.output.items(here.api.items(path("tokens")), _SHOWN, "There are no tokens.")


@app.verb()
def revoke(ctx: typer.Context, token_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """End a token now.

    Example:
      liftlock tokens revoke 0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11

    """
    here = session.of(ctx)
    here.api.remove(path("tokens", token_id))
    here.output.line(f"Revoked token {token_id}.")


def _show(output: Output, made: dict[str, Any], *, quiet: bool) -> None:
    if output.json_mode:
        output.json(made)
    elif quiet:
        output.raw(made["token"])
    else:
        output.note(f"Token {made['name']} ({made['scope']}), shown this once; keep it:")
        output.raw(made["token"])
