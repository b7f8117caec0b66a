"""Smaller CSS and JavaScript of the same meaning.

The library is a Go shared object. A process that has loaded it must not fork, and one that panics
is gone, so it is only ever loaded by a process of its own.
"""

import re
import subprocess
import sys
from typing import Literal

Kind = Literal["css", "js"]

_MEDIA_TYPES = {"css": "text/css", "js": "application/javascript"}
_LONGEST = 300.0
_REFUSED = 3
_LINE = re.compile(r" on line ([0-9]+)")
#: Isolated: neither the current folder nor PYTHONPATH can put another `minify` in its place.
_PROGRAM = f"""\
import sys
import minify
try:
    small = minify.string(sys.argv[1], sys.stdin.buffer.read().decode())
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

    Comments that name a source map go: the map is one of the longer text.
    """
    if "\0" in text:
        # The library takes it for the end and would drop what follows without a word.
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CannotMinify(f"a NUL character on line {line}")
    try:
        done = subprocess.run(  # noqa: S603 - the program is the text above
            [sys.executable, "-I", "-c", _PROGRAM, _MEDIA_TYPES[kind]],
            input=text.encode(),
            capture_output=True,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotMinify(f"no answer within {_LONGEST:.0f} s") from None
    if done.returncode == 0:
        return done.stdout.decode()
    said = done.stderr.decode(errors="replace").strip()
    raise CannotMinify(said or f"the minifier ended with exit code {done.returncode}")
