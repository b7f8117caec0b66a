"""What stands before a place in JavaScript: it tells a regular expression from a division."""

import re

from worker.assets.readers.javascript_brackets import Brackets
from worker.assets.readers.javascript_tokens import PIECE

# Behind these words an expression stands, behind the others of _OPERATORS a statement.
_WORDS = "await case default delete in instanceof new return throw typeof void yield"
_BEFORE_OBJECT = frozenset(_WORDS.split())
_OPERATORS = _BEFORE_OBJECT | {"do", "else"}
_WINDOW = 160
_WORD = re.compile(r"(?<![\w$#])[\w$]+\Z")
_LOOP_OF = re.compile(r"(?:\b(?:const|let|var)\s+[\w$]+\s|[\]}]\s*)of\Z")
_CONDITION = re.compile(r"(?<![\w$.#])(?:if|while|for|with|for\s+await)\s*\Z")
_PROPERTY = re.compile(r"(?<!\.\.)(?:\.|#)\s*\Z")


def _near() -> re.Pattern[str]:
    """A short balanced pair of parentheses without anything hidden, read from its end."""
    plain = r"[^()\"'`/]++"
    pair = rf"\)(?:{plain}|)*+\("
    for _ in range(2):
        pair = rf"\)(?:{plain}|{pair}|)*+\("
    return re.compile(pair)


_NEAR = _near()


class Context:
    """The code already passed, as stretches between regular expressions and templates.

    Brackets and comments are looked at only when somebody asks, each stretch once.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = 0
        self._after_value = False
        self._seen = self._seen_last = 0
        self._brackets = Brackets(text)

    def end(self, end: int) -> None:
        """The stretch ends here; ask `begins_regex` only then."""
        self._brackets.add(self._start, end)

    def begin(self, start: int, *, value: bool) -> None:
        """The next begins, behind a token that was a value or an operator."""
        self._start = self._seen = self._seen_last = start
        self._after_value = value

    def last(self, at: int) -> int:
        """The end of the last token before `at`, not below the start of the stretch."""
        low = max(self._start, at - _WINDOW)
        tail = self._text[low:at]
        code = tail.rstrip()
        if code and not self._may_end_in_comment(tail, len(code), low):
            return low + len(code)
        for piece in PIECE.finditer(self._text, self._seen, at):
            if piece.lastindex is None:
                self._seen_last = piece.end()
        self._seen = at
        return self._seen_last

    def _may_end_in_comment(self, tail: str, end: int, low: int) -> bool:
        if tail.endswith(("*/", "\ufeff"), 0, end):
            return True
        if "\n" not in tail[end:] and "\r" not in tail[end:] and tail[end:].isascii():
            return False
        start = max(self._start, self._text.rfind("\n", self._start, low + end) + 1)
        line = self._text[start : low + end]
        return "//" in line or "--" in line or not tail[end:].isascii()

    def is_member(self, at: int) -> bool:
        """Whether the name at `at` is a member of an object: `a.name`, `a?.name`."""
        last = self.last(at)
        return (
            last > self._start and _PROPERTY.search(self._text[max(0, last - 3) : last]) is not None
        )

    def begins_regex(self, at: int) -> bool:
        """Whether the slash at `at` begins a regular expression; else it divides."""
        last = self.last(at)
        if last <= self._start:
            return not self._after_value
        before = self._text[max(0, last - _WINDOW) : last]
        if before[-1] == ")":
            return self._closes_condition(last)
        if before[-1] == "}":
            return self._closes_block()
        if before.endswith(("]", '"', "'", "`", "++", "--")):
            return False
        if before[-1] == ".":
            return not before[-2:-1].isdigit()
        word = _WORD.search(before)
        return _is_operator(before, word) if word else not before[-1].isidentifier()

    def _closes_condition(self, last: int) -> bool:
        near = _NEAR.match(self._text[max(self._start, last - _WINDOW) : last][::-1])
        opener = last - near.end() if near else self._brackets.opener()
        return _CONDITION.search(self._text[max(0, opener - 20) : opener]) is not None

    def _closes_block(self) -> bool:
        opener = self._brackets.opener()
        before = self._text[max(0, opener - _WINDOW) : opener].rstrip()
        word = _WORD.search(before)
        if word:
            return word[0] not in _BEFORE_OBJECT or _is_member(before, word)
        return not before or before.endswith((";", "{", "}", ")", "=>", ":", "]", "*/"))


def _is_operator(before: str, word: re.Match[str]) -> bool:
    if word[0] == "of":
        return _LOOP_OF.search(before) is not None
    return word[0] in _OPERATORS and not _is_member(before, word)


def _is_member(before: str, word: re.Match[str]) -> bool:
    return _PROPERTY.search(before, max(0, word.start() - 3), word.start()) is not None
