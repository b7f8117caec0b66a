"""Everything in the tables, read and put back by a connection of its own."""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlmodel import SQLModel

from app import models

#: Parents first.
_TABLES = [table.name for table in SQLModel.metadata.sorted_tables if models]

_READ = " UNION ALL ".join(
    f"SELECT '{name}' AS name, to_jsonb({name})::text AS row FROM {name}" for name in _TABLES
)
_EMPTY = "; ".join(f"DELETE FROM {name}" for name in reversed(_TABLES))
#: Numbers of requests go on as if what was removed had never been.
_GO_ON = """
    SELECT setval(pg_get_serial_sequence('jobs', 'sequence'), coalesce(max(sequence), 0) + 1, false)
    FROM jobs
"""

Dump = Mapping[str, list[dict[str, Any]]]


class Rows:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    async def connect(cls, url: str) -> "Rows":
        return cls(await asyncpg.connect(url.replace("+asyncpg", "", 1), timeout=10))

    async def read(self) -> Dump:
        """The committed rows of every table, in a fixed order."""
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
        for name, row in sorted(map(tuple, await self.connection.fetch(_READ))):
            found[name].append(json.loads(row))
        return found

    async def put_back(self, dump: Dump) -> None:
        """Make the tables hold this and nothing else."""
        async with self.connection.transaction():
            await self.connection.execute(_EMPTY)
            for name, rows in dump.items():
                if rows:
                    await self._fill(name, rows)
            await self.connection.execute(_GO_ON)

    async def _fill(self, name: str, rows: list[dict[str, Any]]) -> None:
        await self.connection.execute(
            f"INSERT INTO {name} OVERRIDING SYSTEM VALUE"
            f" SELECT * FROM jsonb_populate_recordset(NULL::{name}, $1::jsonb)",
            json.dumps(rows),
        )

    async def close(self) -> None:
        await self.connection.close()
