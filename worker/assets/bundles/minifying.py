"""Smaller CSS and JavaScript of the same meaning.

The library for JavaScript is a Go shared object. A process that has loaded it must not fork, and
one that panics is gone, so it is only ever loaded by a process of its own.
"""

import re
import subprocess
import sys
from typing import Literal

from worker.assets.bundles import css_minifying
from worker.assets.bundles.shielding import Shield

Kind = Literal["css", "js"]

_LONGEST = 300.0
_REFUSED = 3
_LINE = re.compile(r" on line ([0-9]+)")
#: Isolated: neither the current folder nor PYTHONPATH can put another `minify` in its place.
_PROGRAM = f"""\
import sys
import minify
try:
    small = minify.string("application/javascript", sys.stdin.buffer.read().decode())
except minify.MinifyError as error:
    sys.stderr.buffer.write(str(error).encode())
    sys.exit({_REFUSED})
sys.stdout.buffer.write(small.encode())
"""


class CannotMinify(Exception):
    """The library refuses the text; `line` counts from 1 where it is known."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        found = _LINE.search(said)
        self.line = int(found[1]) if found else None


def minified(text: str, kind: Kind) -> str:
    """The same bytes for the same text; licence comments (`/*!`) stay. Raises CannotMinify.

    Comments that name a source map go: the map is one of the longer text. What is ASCII stays so.
    """
    if kind == "css":
        return css_minifying.minified(text)
    if "\0" in text:
        # The library takes it for the end and would drop what follows without a word.
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CannotMinify(f"a NUL character on line {line}")
    shield = Shield(text)
    exit_code, said = _run(shield.text)
    if exit_code:
        said = shield.restored(said).strip()
        raise CannotMinify(said or f"the minifier ended with exit code {exit_code}")
    return shield.restored(said)


def _run(text: str) -> tuple[int, str]:
    """The exit code, and the smaller text or what is wrong."""
    try:
        done = subprocess.run(  # noqa: S603 - the program is the text above
            [sys.executable, "-I", "-c", _PROGRAM],
            input=text.encode(),
            capture_output=True,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotMinify(f"no answer within {_LONGEST:.0f} s") from None
    said = done.stderr if done.returncode else done.stdout
    return done.returncode, said.decode(errors="replace")
