"""What writes to Postgres, found in the code itself, so that no new write goes unnoticed.

Names are those of the rooms: `attempts.claim` is a function of `app/store/attempts.py`.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.postgres import ROOT

_SQL = re.compile(
    r"\b(INSERT\s+INTO|UPDATE\s+\S+(\s+(AS\s+)?\w+)?\s+SET|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE|COPY"
    r"|(ALTER|CREATE|DROP)\s+TABLE)\b"
)
_OF_SESSION = {"add", "add_all", "delete", "merge", "flush"}
_OF_SQLALCHEMY = {"insert", "update", "delete"}


@dataclass
class _Room:
    """Functions, classes and constants of a package, by `module.name`, and what each names."""

    named: dict[str, set[str]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)


def of_store() -> set[str]:
    """Every public function of the store that writes, by itself or through another."""
    room = _read("store")
    writing = {name for name in room.named if room.writes & _closure(room.named, [name])}
    return {name for name in writing & room.functions if not _is_private(name)}


def outside_the_store() -> set[str]:
    """Files of other rooms in which something writes by itself."""
    files = [path for room in ("app", "worker") for path in (ROOT / room).rglob("*.py")]
    return {
        str(path.relative_to(ROOT))
        for path in files
        if path.parent != ROOT / "app/store" and _is_write(ast.parse(path.read_text()))
    }


def called_by_workers() -> set[str]:
    """Every function of app.services that worker.jobs calls."""
    called: set[str] = set()
    for path in (ROOT / "worker/jobs").glob("*.py"):
        module = ast.parse(path.read_text())
        called |= _names(module, path.stem, dict(_imports(module)))
    return called & _read("services").functions


def reached(services: Iterable[str]) -> set[str]:
    """The functions of the store that these services call, also through each other."""
    named = _read("services").named
    store = _read("store").functions
    return {name for one in _closure(named, services) for name in named.get(one, set())} & store


def _read(package: str) -> _Room:
    room = _Room()
    for path in (ROOT / "app" / package).glob("*.py"):
        if path.stem != "__init__":
            _read_module(room, path)
    return room


def _read_module(room: _Room, path: Path) -> None:
    module = ast.parse(path.read_text())
    imported = dict(_imports(module))
    for made, node in _definitions(module):
        name, found = f"{path.stem}.{made}", _names(node, path.stem, imported)
        room.named[name] = found - {name}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            room.functions.add(name)
        if _is_write(node) or any(f"sqlalchemy.{one}" in found for one in _OF_SQLALCHEMY):
            room.writes.add(name)


def _definitions(module: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node
            case ast.ClassDef(name=name):
                yield name, node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.Assign(targets=[ast.Tuple(elts=elements)]):
                for one in elements:
                    if isinstance(one, ast.Name):
                        yield one.id, node


def _imports(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Names as this module has them, and what they stand for: `module.name`."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            is_sqlalchemy = node.module.startswith(("sqlalchemy", "sqlmodel"))
            last = "sqlalchemy" if is_sqlalchemy else node.module.rpartition(".")[2]
            for alias in node.names:
                yield alias.asname or alias.name, f"{last}.{alias.name}"


def _names(node: ast.AST, module: str, imported: Mapping[str, str]) -> set[str]:
    """What is named there, as `a.b`: attributes, what was imported, and the module's own."""
    found = set()
    for one in ast.walk(node):
        match one:
            case ast.Name(id=word):
                found.add(imported.get(word, f"{module}.{word}"))
            case ast.Attribute(value=value, attr=name) if owner := _last(value):
                found.add(f"{owner}.{name}")
    return found


def _last(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _is_write(node: ast.AST) -> bool:
    for one in ast.walk(node):
        match one:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="session"), attr=verb)):
                if verb in _OF_SESSION:
                    return True
            case ast.JoinedStr(values=parts):
                text = "".join(str(p.value) if isinstance(p, ast.Constant) else "x" for p in parts)
                if _SQL.search(text):
                    return True
            case ast.Constant(value=str(text)):
                if _SQL.search(text):
                    return True
    return False


def _closure(named: Mapping[str, set[str]], start: Iterable[str]) -> set[str]:
    """These, and whatever they name, and so on."""
    found, todo = set(), set(start)
    while todo:
        found |= todo
        todo = {name for one in todo for name in named.get(one, set())} - found
    return found


def _is_private(name: str) -> bool:
    return name.partition(".")[2].startswith("_")
