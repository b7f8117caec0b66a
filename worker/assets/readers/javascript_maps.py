"""The comment in JavaScript that names a source map."""

import re
from collections.abc import Iterator

from worker.assets.readers.javascript_lexer import Lexer
from worker.assets.readers.reference import Form, Reference

# With text behind the URL it is no such comment. A carriage return belongs to the line end.
_MAP = re.compile(r"//# sourceMappingURL=(\S++)[^\S\r\n]*+(?=[\r\n]|\Z)")


def source_maps(text: str) -> Iterator[Reference]:
    """Only at the start of a line, as Django reads them."""
    lexer: Lexer | None = None
    hides = max(text.rfind("`"), text.rfind("*/"))
    for found in _MAP.finditer(text):
        start = found.start()
        if start and text[start - 1] != "\n":
            continue
        # What could hide a line must end behind it: a template, a block comment, a broken string.
        if start < hides or text.endswith(("\\\n", "\\\r\n"), 0, start):
            lexer = lexer or Lexer(text)
            if not lexer.is_code(start):
                continue
        yield Reference(start, found.end(), found[1], Form.JS_MAP)
