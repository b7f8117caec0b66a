"""Rows that plain SQL reads and writes, as the ORM's objects, without its price."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import manager_of_class
from sqlmodel import SQLModel

from app.models.base import Word

M = TypeVar("M", bound=SQLModel)


class Columns(Generic[M]):
    """All columns of a table under an alias: their SQL, and the object made of their values."""

    def __init__(self, model: type[M], alias: str) -> None:
        found = list(model.__table__.columns)  # type: ignore[attr-defined]
        self.sql = ", ".join(f'{alias}."{one.name}" AS {alias}_{one.name}' for one in found)
        self._model = model
        self._key = f"{alias}_{found[0].name}"
        self._plain = [(one.name, f"{alias}_{one.name}") for one in found if not _reader(one.type)]
        self._read = [
            (one.name, f"{alias}_{one.name}", reader)
            for one in found
            if (reader := _reader(one.type))
        ]

    def find(self, row: Mapping[str, Any]) -> M | None:
        """The object of an outer join: None when there was none."""
        return self.build(row) if row[self._key] is not None else None

    def build(self, row: Mapping[str, Any]) -> M:
        values = {name: row[column] for name, column in self._plain}
        for name, column, reader in self._read:
            value = row[column]
            values[name] = None if value is None else reader(value)
        return _detached(self._model, values)


class Insert(Generic[M]):
    """New objects, and their INSERT with all columns but those that Postgres numbers."""

    def __init__(self, model: type[M]) -> None:
        table = model.__table__  # type: ignore[attr-defined]
        found = [one for one in table.columns if one.identity is None]
        names = ", ".join(f'"{one.name}"' for one in found)
        places = ", ".join(f"${number}" for number in range(1, len(found) + 1))
        self.sql = f"INSERT INTO {table.name} ({names}) VALUES ({places})"  # noqa: S608
        #: How many parameters it has; what else a statement needs comes behind them.
        self.size = len(found)
        self._columns = [(one.name, isinstance(one.type, JSONB)) for one in found]
        self._model = model
        fields = {name: one for name, one in model.model_fields.items() if not one.is_required()}
        made = {name: one.default_factory for name, one in fields.items() if one.default_factory}
        self._made: dict[str, Callable[[], Any]] = made  # type: ignore[assignment]
        self._defaults = {n: one.default for n, one in fields.items() if n not in made}

    def new(self, **values: Any) -> M:
        """As the model's own constructor makes it, for a thirtieth of its price."""
        made = {name: make() for name, make in self._made.items() if name not in values}
        return _object(self._model, {**self._defaults, **made, **values})

    def values(self, row: M) -> list[Any]:
        return [_written(getattr(row, name), as_json=json_) for name, json_ in self._columns]


def _written(value: Any, *, as_json: bool) -> Any:
    return json.dumps(value) if as_json and value is not None else value


def _reader(kind: Any) -> Callable[[Any], Any] | None:
    """What makes the column's value of what the driver says; None when it is the same."""
    return kind.words if isinstance(kind, Word) else None


def _detached(model: type[M], values: Mapping[str, Any]) -> M:
    made = _object(model, values)
    make_transient_to_detached(made)
    return made


def _object(model: type[M], values: Mapping[str, Any]) -> M:
    # The ORM's way to an object for a row. `Model(...)` would take thirty times as long.
    made: M = manager_of_class(model).new_instance()
    vars(made).update(values)
    return made
