"""The tokens of JavaScript that hide text: comments, strings, templates and regular expressions.

Each pattern takes a whole token or nothing and never goes back over what it took.
"""

import re

_LINE_END = r"\n\r\u2028\u2029"

QUOTED = (
    r'"(?:[^"\\\n\r]++|\\(?:\r\n|[\s\S])|)*+"'
    r"|'(?:[^'\\\n\r]++|\\(?:\r\n|[\s\S])|)*+'"
)
BLOCK_COMMENT = r"/\*(?:[^*]++|\*(?!/)|)*+\*/"
LINE_COMMENT = rf"//[^{_LINE_END}]*+"
#: Without substitutions.
PLAIN_TEMPLATE = r"`(?:[^`\\$]++|\\[\s\S]|\$(?!\{)|)*+`"
#: With none, or only such as `${a.b}`.
SIMPLE_TEMPLATE = r"`(?:[^`\\$]++|\\[\s\S]|\$(?!\{)|\$\{[^{}`'\"/\\]*+\}|)*+`"
#: Blanks and comments.
GAP = rf"(?:[\s\ufeff]++|{LINE_COMMENT}|{BLOCK_COMMENT}|)*+"

# A comment of one line counts only with its line end: a search that stops early sees it cut.
_COMMENTS = rf"{LINE_COMMENT}(?=[{_LINE_END}])|{BLOCK_COMMENT}"
_HTML_LINE = rf"<!--[^{_LINE_END}]*+(?=[{_LINE_END}])"
_HTML_END = rf"\n[ \t]*+-->[^{_LINE_END}]*+(?=[{_LINE_END}])"
_HTML = rf"{_HTML_LINE}|{_HTML_END}|\n(?![ \t]*+-->)|<(?!!--)"
# Behind these characters no keyword can end, so a slash divides.
_OPERAND = r"[0-9A-Zabcghijklmpqrsuvxyz_$\]]"
_DIVISION = rf"(?:(?<={_OPERAND})|(?<={_OPERAND} ))/(?![/*])"
_HIDING = rf"{QUOTED}|{SIMPLE_TEMPLATE}|{_COMMENTS}|{_DIVISION}"


def leap(*, braces: bool, html: bool) -> re.Pattern[str]:
    """Over all text whose meaning is plain; stops at what it must be told about."""
    stops = ("{}" if braces else "") + (r"<\n" if html else "")
    return re.compile(rf"(?:[^\"'`/{stops}]++|{_HIDING}{'|' + _HTML if html else ''}|)*+")


#: A string or comment whole, also at the end of the text.
HIDDEN = re.compile(
    rf"{QUOTED}|{LINE_COMMENT}|{BLOCK_COMMENT}|<!--[^{_LINE_END}]*+|\n[ \t]*+-->[^{_LINE_END}]*+"
)
#: From inside a template to its end or its next substitution.
TEMPLATE_REST = re.compile(r"(?:[^`\\$]++|\\[\s\S]|\$(?!\{)|)*+(`|\$\{)")
REGEX = re.compile(
    rf"/(?![*/])(?:[^/\\\[{_LINE_END}]++|\\[^{_LINE_END}]"
    rf"|\[(?:[^\]\\{_LINE_END}]++|\\[^{_LINE_END}]|)*+\]|)*+/[\w$]*+"
)
#: One by one, between two stops: group 1 is a gap.
PIECE = re.compile(
    rf"([\s\ufeff]++|{LINE_COMMENT}|{BLOCK_COMMENT}|<!--[^{_LINE_END}]*+|(?<=\n)-->[^{_LINE_END}]*+)"
    rf"|[^\s\ufeff\"'`/<-]++|{QUOTED}|{SIMPLE_TEMPLATE}|[\s\S]"
)
#: The next bracket of code, as group 1, or whatever ends the code before one comes.
BRACKET = re.compile(
    rf"(?:[^\"'`/<(){{}}]++|{QUOTED}|{SIMPLE_TEMPLATE}|{LINE_COMMENT}|{BLOCK_COMMENT}"
    rf"|<!--[^{_LINE_END}]*+|[/<]|)*+(?:([(){{}}])|[\"'`]|\Z)"
)
