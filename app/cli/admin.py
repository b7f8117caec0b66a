"""Local administration: commands that talk to the database instead of the API."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import typer

from app.cli.errors import CliError, Unreachable, UsageError
from app.cli.noun import Noun
from app.cli.session import of
from app.domain.scope import Scope
from app.errors import Invalid, ServiceError, Unavailable

# Settings, services and store are imported where they are used: they take half a second, which
# every other command would pay.

app = Noun(name="db", help="The database (local: needs LIFTLOCK_DATABASE_URL).")


class DatabaseFailed(CliError):
    code = "database-failed"


class SchemaDiffers(CliError):
    code = "schema-differs"


@app.verb()
def upgrade(
    ctx: typer.Context,
    revision: Annotated[str, typer.Option(help="Upgrade to this revision.")] = "head",
) -> None:
    """Bring the database to the newest version; safe to repeat and to run side by side.

    Example:
      LIFTLOCK_DATABASE_URL=postgresql+asyncpg://liftlock@127.0.0.1/liftlock liftlock db upgrade

    """
    from app.store import schema  # noqa: PLC0415

    url = _url()
    before = _current(url)
    _guarded(lambda: schema.upgrade(url, revision))
    after = _current(url)
    output = of(ctx).output
    if output.json_mode:
        output.json({"before": before, "after": after})
    elif before == after:
        output.line(f"The database is at {after}; nothing to do.")
    else:
        output.line(f"Upgraded the database from {before or 'nothing'} to {after}.")


@app.verb()
def current(ctx: typer.Context) -> None:
    """Show the version of the database and the newest one this program knows.

    Example:
      liftlock db current

    """
    from app.store import schema  # noqa: PLC0415

    found = {"current": _current(_url()), "head": schema.head()}
    of(ctx).output.show(found, [("current", "current"), ("newest", "head")])


@app.verb()
def check(ctx: typer.Context) -> None:
    """Compare the tables in the database with those this program expects; exit 1 if they differ.

    Example:
      liftlock db check

    """
    from app.store import schema  # noqa: PLC0415

    url = _url()
    found, head = _current(url), schema.head()
    if found != head:
        raise SchemaDiffers(
            f"The database is at {found or 'nothing'}; this program needs {head}.",
            hint="Run: liftlock db upgrade",
        )
    _guarded(lambda: schema.check(url))
    output = of(ctx).output
    if output.json_mode:
        output.json({"current": found, "head": head})
    else:
        output.line(f"The database is at {found} and its tables are as expected.")


def create_token(*, name: str, scope: Scope, expires_in_days: int | None) -> dict[str, Any]:
    """Make a token in the database, without the API: the way to the first one."""
    from app.services import tokens  # noqa: PLC0415
    from app.store.database import Database  # noqa: PLC0415

    async def make() -> dict[str, Any]:
        database = Database(_url(), role="cli", pool_size=1)
        try:
            token, text = await tokens.create(
                database, name=name, scope=scope, expires_in_days=expires_in_days
            )
        finally:
            await database.close()
        return {
            "id": str(token.id),
            "name": token.name,
            "scope": str(token.scope),
            "prefix": token.prefix,
            "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            "token": text,
        }

    made: dict[str, Any] = _guarded(lambda: asyncio.run(make()))
    return made


def _url() -> str:
    from pydantic import ValidationError  # noqa: PLC0415

    from app.settings import Settings  # noqa: PLC0415

    try:
        return Settings().database_url.get_secret_value()
    except ValidationError as error:
        wrong = ", ".join(f"LIFTLOCK_{part['loc'][0]}".upper() for part in error.errors())
        raise UsageError(f"These settings are wrong: {wrong}.") from None


def _current(url: str) -> str | None:
    from app.store import schema  # noqa: PLC0415
    from app.store.database import Database  # noqa: PLC0415

    async def ask() -> str | None:
        database = Database(url, role="cli", pool_size=1)
        try:
            async with database.transaction() as session:
                return await schema.current(session)
        finally:
            await database.close()

    found: str | None = _guarded(lambda: asyncio.run(ask()))
    return found


def _guarded(work: Callable[[], Any]) -> Any:
    """Do it; whatever the driver, SQLAlchemy or Alembic raise becomes one sentence."""
    try:
        return work()
    except (OSError, Unavailable) as error:
        detail = error.detail if isinstance(error, Unavailable) else _reason(error)
        raise Unreachable(
            "The database does not answer.", detail=detail, hint="Look at LIFTLOCK_DATABASE_URL."
        ) from error
    except Invalid as error:
        wrong = "\n".join(f"{part.pointer}: {part.detail}" for part in error.errors)
        raise UsageError(error.detail, detail=wrong, hint=error.hint) from error
    except ServiceError as error:
        raise DatabaseFailed(error.detail, hint=error.hint) from error
    except CliError:
        raise
    except Exception as error:
        raise DatabaseFailed("The database refused it.", detail=_reason(error)) from error


def _reason(error: Exception) -> str:
    """Its first line: the rest is SQL or a link. The driver's own words, when there are some."""
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"
