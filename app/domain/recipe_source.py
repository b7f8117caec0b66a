"""Recipe text: YAML into plain data, with the line of every key and nothing executable."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 40
MAX_ERRORS = 50

Path = tuple[str | int, ...]

_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
}


@dataclass(frozen=True)
class RecipeError:
    """One thing wrong with a recipe; `pointer` is a JSON pointer, `line` counts from 1."""

    pointer: str
    line: int | None
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "the document"
        return f"{where}, {self.pointer or '/'}: {self.message}"


class InvalidRecipe(Exception):
    """The recipe cannot be used; `errors` says why, in the order of the document."""

    def __init__(self, errors: list[RecipeError]) -> None:
        self.errors = sorted(errors, key=lambda error: error.line or 0)[:MAX_ERRORS]
        super().__init__("\n".join(str(error) for error in self.errors))


@dataclass(frozen=True)
class Source:
    """A document and where each of its values was written."""

    data: object
    lines: Mapping[Path, int] = field(default_factory=dict)

    def error(self, path: Path, message: str) -> RecipeError:
        """An error at `path`, on its line or on that of the nearest key around it."""
        around = (path[:length] for length in range(len(path), -1, -1))
        line = next((self.lines[place] for place in around if place in self.lines), None)
        return RecipeError(pointer(path), line, encodable(message))


def pointer(path: Path) -> str:
    """The JSON pointer (RFC 6901) of a path, fit to be sent."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return encodable("".join(f"/{part}" for part in parts))


def encodable(text: str) -> str:
    """The text with half a surrogate pair spelled out, which UTF-8 cannot hold."""
    return text.encode(errors="backslashreplace").decode()


def read(text: str) -> Source:
    """Read YAML; raises InvalidRecipe for bad syntax, repeated keys, tags and oversize."""
    size = len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        message = f"the document has {size} bytes; {MAX_BYTES} are the limit"
        raise InvalidRecipe([RecipeError("", None, message)])
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        raise InvalidRecipe([_syntax_error(error)]) from None
    except yaml.YAMLError as error:
        raise InvalidRecipe([RecipeError("", None, f"not YAML: {error}")]) from None
    except RecursionError:
        raise InvalidRecipe([RecipeError("", None, "the document is nested too deeply")]) from None
    reader = _Reader()
    data = reader.value(node, ()) if node is not None else None
    if reader.errors:
        raise InvalidRecipe(reader.errors)
    return Source(data, reader.lines)


def storable(text: str) -> bool:
    """Whether a database and a variable can hold it: valid Unicode without NUL."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def unstorable(data: object, path: Path = ()) -> Iterator[Path]:
    """Places of plain data whose text cannot be stored; raises RecursionError when too deep."""
    match data:
        case str() if not storable(data):
            yield path
        case dict():
            for key, item in data.items():
                yield from unstorable(str(key), (*path, str(key)))
                yield from unstorable(item, (*path, str(key)))
        case list() | tuple():
            for number, item in enumerate(data):
                yield from unstorable(item, (*path, number))


class _CoreLoader(yaml.SafeLoader):
    """YAML with the core schema of 1.2: `no`, `on` and `2026-01-01` stay text."""

    yaml_implicit_resolvers = {}


_CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")
)
_CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


class _Reader:
    """Turns nodes into values; counts them, so that aliases cannot multiply without end."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.errors: list[RecipeError] = []
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        self._nodes += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > MAX_DEPTH or self._nodes > MAX_NODES:
            message = f"more than {MAX_NODES} values or {MAX_DEPTH} levels"
            raise InvalidRecipe([RecipeError("", self.lines[path], message)])
        if node.tag not in _PLAIN_TAGS:
            self._complain(path, node, f"the tag {node.tag} is not allowed")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(path, key, "a key must be plain text")
                continue
            if key.value in found:
                first = self.lines[*path, key.value]
                message = f"`{key.value}` is written twice, first on line {first}"
                self._complain((*path, key.value), key, message)
                continue
            self.lines[*path, key.value] = key.start_mark.line + 1
            found[key.value] = self.value(item, (*path, key.value))
        return found

    def _scalar(self, node: yaml.Node, path: Path) -> object:
        text = str(node.value)
        match node.tag.rpartition(":")[2]:
            case "bool":
                return text.lower() == "true"
            case "null":
                return None
            case "int" | "float" as kind:
                return self._number(node, path, text, kind)
        return text

    def _number(self, node: yaml.Node, path: Path, text: str, kind: str) -> object:
        try:
            number = int(text) if kind == "int" else float(text)
            json.dumps(number, allow_nan=False)
        except ValueError:
            self._complain(path, node, "this number is too large or not one")
            return None
        return number

    def _complain(self, path: Path, node: yaml.Node, message: str) -> None:
        line = node.start_mark.line + 1
        self.errors.append(RecipeError(pointer(path), line, encodable(message)))


def _syntax_error(error: yaml.MarkedYAMLError) -> RecipeError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    column = f", column {mark.column + 1}" if mark else ""
    context = f" ({error.context})" if error.context else ""
    return RecipeError("", line, f"not YAML{column}: {error.problem}{context}")
