"""What the architecture tests look at: the files of the repository, and the code in them."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "worker", "local", "examples", "benchmarks")
#: The demo site is an input of Liftlock, in the shape that Django wants.
INPUTS = ("examples/guestbook/",)


@dataclass(frozen=True)
class Function:
    """A function as it stands in a file; `body` counts its lines below signature and docstring."""

    place: str
    lines: int
    body: int
    decorators: tuple[str, ...]


def files() -> list[str]:
    """Every file of the repository, below its root; what git ignores is none."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted({name for name in listed if (ROOT / name).is_file()})


def text_files() -> Iterator[tuple[str, str]]:
    for name in files():
        try:
            yield name, (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue


def modules() -> list[str]:
    """The Python files of Liftlock itself."""
    return [
        name
        for name in files()
        if name.endswith(".py") and name.split("/")[0] in PACKAGES and not name.startswith(INPUTS)
    ]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def tree(name: str) -> ast.Module:
    return ast.parse(read(name), filename=name)


def functions() -> Iterator[Function]:
    for name in modules():
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield _function(name, node)


def headings(document: str, level: int = 2) -> list[str]:
    """The headings of one level in a Markdown file, without the marks of code."""
    pattern = re.compile(rf"^{'#' * level} (.+)$", re.MULTILINE)
    return [found.strip().strip("`") for found in pattern.findall(prose(read(document)))]


def prose(markdown: str) -> str:
    """Markdown without its code blocks."""
    return re.sub(r"^```.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)


def _function(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    end = node.end_lineno or node.lineno
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return Function(
        place=f"{name}:{node.lineno} {node.name}",
        lines=end - node.lineno + 1,
        body=end - body[0].lineno + 1 if body else 0,
        decorators=tuple(ast.unparse(item) for item in node.decorator_list),
    )
