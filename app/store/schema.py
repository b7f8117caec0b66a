"""The schema's versions: upgrade, and say where a database stands."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

_HERE = Path(__file__).resolve().parent.parent


def scripts() -> Path:
    """The migrations: inside the package when installed, beside it in a checkout."""
    inside = _HERE / "migrations"
    return inside if inside.is_dir() else _HERE.parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Blocks; safe to run from several processes at once."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    command.downgrade(_config(url), revision)


def check(url: str) -> None:
    """Raise when the tables in the code and those in the database differ."""
    command.check(_config(url))


def head() -> str:
    """The newest revision this code knows."""
    return ScriptDirectory(str(scripts())).get_current_head() or ""


async def current(session: AsyncSession) -> str | None:
    """The revision of the database; None when it has never been migrated."""
    connection = await session.connection()
    exists = await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not exists:
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def is_behind(revision: str | None) -> bool:
    """Whether the database lacks something this code needs.

    A revision this code does not know is a newer one, and the code before must run on it too.
    """
    known = {script.revision for script in ScriptDirectory(str(scripts())).walk_revisions()}
    return revision is None or (revision in known and revision != head())


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts()))
    config.attributes["url"] = url
    return config
