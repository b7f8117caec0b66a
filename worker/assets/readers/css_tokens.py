"""The tokens of CSS Syntax Level 3 as patterns; each takes linear time, whatever the text.

Every repetition is possessive, so nothing is ever tried twice. A pattern named as dull matches
text of any length in which no reference begins, at the speed of `re`.
"""

import re

_NEWLINE = r"(?:\r\n|[\n\r\f])"
_BLANK = r"[ \t\n\r\f]"
_ESCAPE = rf"\\(?:[0-9a-fA-F]{{1,6}}+(?:\r\n|{_BLANK}|)?+|[^\n\r\f0-9a-fA-F])"
#: All but the other signs of ASCII: a set that names what lies beyond takes 4 ms to compile.
_NAMED = rf"[^\x01-,./:-@\[-^`{{-\x7f]++|{_ESCAPE}"
_NAME = rf"(?:{_NAMED})(?:{_NAMED}|)*+"
_COMMENT = r"/\*(?:[^*]++|\*(?!/)|)*+(?:\*/|)?+"
#: A newline ends a string that was not closed; so does the end of the text.
_DOUBLE = rf'(?:[^"\\\n\r\f]++|{_ESCAPE}|\\{_NEWLINE}|\\\Z|)*+'
_SINGLE = _DOUBLE.replace('"', "'")
_STRING = rf"(?:\"{_DOUBLE}\"?+|'{_SINGLE}'?+)"
_BARE = rf"(?:[^\"'()\\ \t\n\r\f\x01-\x08\x0b\x0e-\x1f\x7f]++|{_ESCAPE}|)*+"
_BAD_URL = r"(?:[^)\\]++|\\[\s\S]?+|)*+\)?+"
_MAP_START = r"\#[ \t]sourceMappingURL="
#: What may open something: the text ends with it, and a bracket follows.
_OPENER = r"(?:(?<=[uU][rR][lL]\()|(?<=[sS][rR][cC]\()|(?<=[iI][mM][aA][gG][eE]-[sS][eE][tT]\())"
#: What begins no reference, wherever it stands: names with escapes, a lone `/`, `\` or `@`.
_HARMLESS = (
    rf"/\*(?!{_MAP_START})(?:[^*]++|\*(?!/)|)*+(?:\*/|)?+|/(?!\*)"
    rf"|\\(?:{_NEWLINE}|\Z)|(?=\\){_NAME}(?!\()|@(?![iInNdD\\-])"
)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


#: Up to the next character at which a reference may begin.
DULL = _compiled(rf"(?:[^\"'/\\(@]++|{_STRING}|\((?!{_OPENER})|{_HARMLESS}|)*+")
#: The same inside image-set(), where strings, brackets and whatever ends it matter too.
DULL_IN_SET = _compiled(rf"(?:[^\"'/\\()@;{{}}]++|{_HARMLESS}|)*+")
#: What stands between the keyword of an at-rule and its block or end, its URLs included.
PRELUDE = _compiled(
    rf"(?:[^\"'/\\(;{{}}]++|{_STRING}|{_COMMENT}|/|(?=\\){_NAME}|\\"
    rf"|\((?<=[uU][rR][lL]\(){_BLANK}*+(?![\"']){_BAD_URL}|\(|)*+"
)
NAME = _compiled(_NAME)
COMMENT = _compiled(_COMMENT)
STRING = _compiled(_STRING)
#: Blanks and comments, then a string that a newline does not break off.
NEXT_STRING = _compiled(
    rf"(?P<gap>(?:{_BLANK}++|{_COMMENT}|)*+)"
    rf"(?:\"(?P<double>{_DOUBLE})(?:\"|\Z)|'(?P<single>{_SINGLE})(?:'|\Z))"
)
CLOSING = _compiled(rf"{_BLANK}*+\)")
BARE_URL = _compiled(rf"{_BLANK}*+(?P<url>{_BARE}){_BLANK}*+(?:\)|\Z)")
QUOTED = _compiled(rf"{_BLANK}*+[\"']")
BAD_URL = _compiled(_BAD_URL)
#: Alone on its line, as Django wants it.
SOURCE_MAP = _compiled(rf"(?<![^\n])/\*{_MAP_START}(?P<url>(?:[^*\n]++|\*(?!/)|)*+)\*/(?=\r?\n|\Z)")
_ESCAPED = _compiled(rf"\\(?:(?P<code>[0-9a-fA-F]{{1,6}})(?:\r\n|{_BLANK})?|{_NEWLINE}|([\s\S]?))")
_LAST_CODE, _SURROGATES, _NO_CHARACTER = 0x10FFFF, range(0xD800, 0xE000), "\ufffd"


def unescaped(text: str) -> str:
    """A name, a URL or the inside of a string, as CSS means it."""
    return _ESCAPED.sub(_meant, text) if "\\" in text else text


def _meant(escape: re.Match[str]) -> str:
    if escape["code"] is None:
        return escape[2] or ""
    code = int(escape["code"], 16)
    return chr(code) if 0 < code <= _LAST_CODE and code not in _SURROGATES else _NO_CHARACTER
