r"""Parts of strings, templates and regular expressions that a minifier must not read.

The library writes the character where an escape stood. In a template, a backtick or a backslash
then means something else, and a script that was ASCII needs a server that tells its charset. It
also joins `"\1"` and `"2"` into one octal escape, and stops at the end tag of a script element.
"""

import re

from worker.assets.readers.javascript_lexer import Lexer

_KEPT = (
    r"\\(?:u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]++\}|x[0-9a-fA-F]{2}|0{1,3}+(?![0-7])|[23][0-7]{2}"
    r"""|[0-7]{1,2}(?=["']\s*+\+\s*+["'][0-7]))"""
)
_PART = re.compile(rf"(?P<kept>{_KEPT}|(?<=<)/script(?=>))|\\[\s\S]")
_OCTAL = re.compile(r"\\[0-7]+")
#: These stay where no digit follows: in a regular expression they refer to a group.
_SHORT = re.compile(r"\\(?:0|[1-7][0-7]?)")
#: Letters of a rare script, CJK Extension B: each is one character in every place of a script.
_LETTERS = range(0x20000, 0x2A6D7)
_LETTER = re.compile("[\U00020000-\U0002a6d6]")


class Shield:
    """A letter in place of each such part, the same for the same part; at most 42,000 of them."""

    def __init__(self, text: str) -> None:
        used = set(_LETTER.findall(text))
        self._unused = (letter for letter in map(chr, _LETTERS) if letter not in used)
        self._letters: dict[str, str] = {}
        self._parts: dict[str, str] = {}
        self._lexer = Lexer(text)
        self.text = _PART.sub(self._shielded, text)

    def restored(self, text: str) -> str:
        return _LETTER.sub(lambda found: self._part(found, text), text)

    def _shielded(self, found: re.Match[str]) -> str:
        part = found["kept"]
        # In code it belongs to a name, which may be written without the escape elsewhere.
        if part is None or self._lexer.is_code(found.start()):
            return found.group()
        if part not in self._letters:
            letter = next(self._unused, part)
            self._letters[part] = letter
            self._parts[letter] = part
        return self._letters[part]

    def _part(self, found: re.Match[str], text: str) -> str:
        part = self._parts.get(found.group(), found.group())
        followed = text[found.end() : found.end() + 1].isdigit()
        if not _OCTAL.fullmatch(part) or (_SHORT.fullmatch(part) and not followed):
            return part
        # Octal escapes end where the digits do, and are errors in a template.
        return f"\\x{int(part[1:], 8):02x}"
