"""Style sheets without the blanks and comments that mean nothing.

Every other token stays as it was written, in its order. So no value can come to mean something
else: in some properties `0` is invalid where `0deg` or `0px` is not, and `"inherit"` is the name of
a font where `inherit` is a keyword.
"""

from collections.abc import Iterator, Sequence

from worker.assets.bundles.css_reading import Kind, Token, follow, read


def _marks(characters: str) -> frozenset[Token]:
    return frozenset(Token(Kind.MARK, character) for character in characters)


_GAPS = frozenset({Kind.SPACE, Kind.LICENCE, Kind.COMMENT})
#: Beside these a blank means nothing, and between the last ones and others no comment is needed.
_AFTER_THESE, _BEFORE_THESE, _APART = _marks("{};,(["), _marks("{};,)]"), _marks("{};,")
_COLON, _EXCLAMATION = Token(Kind.MARK, ":"), Token(Kind.MARK, "!")
_BEGIN, _END, _SEMICOLON = (Token(Kind.MARK, mark) for mark in "{};")
_BACKSLASH = Token(Kind.MARK, "\\")
#: Between selectors a blank beside these goes, where it has a plain neighbor on its other side:
#: `> >`, `- >` and `~ =` would become one.
_COMBINATORS = _marks(">~")
_BEFORE_COMBINATOR, _AFTER_COMBINATOR = _marks(")]*&"), _marks(".*[:&")


def minified(text: str) -> str:
    """The same rules for every browser; comments that begin with `/*!` stay.

    >>> minified("a > b { rotate : 0deg ; } /* c */")
    'a>b{rotate:0deg}'
    """
    return "".join(_Writer(tuple(read(text))).write())


class _Writer:
    """Goes from one statement to the next: a declaration, the selectors of a rule, an at-rule."""

    def __init__(self, read: Sequence[Token]) -> None:
        self._tokens = read
        self._at = self._depth = 0
        #: The last token that was no gap.
        self._before = _SEMICOLON

    def write(self) -> Iterator[str]:
        yield self._gap()
        while self._at < len(self._tokens):
            yield from self._statement()
            yield self._gap()

    def _statement(self) -> Iterator[str]:
        first, colon = self._token(self._at), self._colon()
        is_custom = colon is not None and first.text.startswith("--")
        end = self._end(first, is_custom=is_custom)
        is_rule = self._token(end) == _BEGIN and not first.text.startswith("@")
        if colon is not None and is_custom:
            yield self._custom_property(colon, end)
        else:
            yield from self._words(end, None if is_rule else colon, selectors=is_rule)
        closes = self._closes_block(end)
        if closes and colon is not None and not is_custom:
            self._at += 1
        elif end < len(self._tokens):
            self._depth += {_BEGIN: 1, _END: -1}.get(self._tokens[end], 0)
            yield self._next()

    def _colon(self) -> int | None:
        """Where the colon behind the first name is, if this may be a declaration."""
        at = self._behind_gap(self._at + 1)
        is_name = self._depth > 0 and self._token(self._at).kind is Kind.NAME
        return at if is_name and self._token(at) == _COLON else None

    def _end(self, first: Token, *, is_custom: bool) -> int:
        """Where the `;`, the `}` or the `{` is that ends the statement."""
        ends = "" if is_custom else "{"
        if self._depth:
            ends += "}"
        if self._depth or first.text.startswith("@"):
            ends += ";"
        brackets: list[str] = []
        for at in range(self._at, len(self._tokens)):
            token = self._tokens[at]
            if token.kind is Kind.MARK and not brackets and token.text in ends:
                return at
            follow(brackets, token)
        return len(self._tokens)

    def _custom_property(self, colon: int, end: int) -> str:
        """As it was written, as scripts can read it. The blanks around it are no part of it."""
        name, value = self._tokens[self._at : colon + 1], self._tokens[colon + 1 : end]
        self._at, self._before = end, _SEMICOLON
        text = "".join(token.text for token in value)
        bare = text.strip(" \t\n\r\f")
        # What was an escape of a blank must not become one of what follows.
        text = text if bare.endswith("\\") else bare or text[:1]
        return "".join(token.text for token in name) + text

    def _words(self, end: int, colon: int | None, *, selectors: bool) -> Iterator[str]:
        brackets: list[str] = []
        while self._at < end:
            follow(brackets, self._tokens[self._at])
            yield self._next()
            yield self._gap(colon, selectors=selectors and not brackets)

    def _gap(self, colon: int | None = None, *, selectors: bool = False) -> str:
        start, self._at = self._at, self._behind_gap(self._at)
        gap = self._tokens[start : self._at]
        licences = "".join(token.text for token in gap if token.kind is Kind.LICENCE)
        after = self._token(self._at)
        if self._before == _BACKSLASH and gap:
            blank = "\n"  # before anything else it would be an escape
        elif any(token.kind is Kind.SPACE for token in gap):
            blank = " " if self._counts(start, after, colon, selectors=selectors) else ""
        else:
            apart = not gap or licences or _APART & {self._before, after}
            blank = "" if apart else "/**/"
        return blank + licences

    def _counts(self, start: int, after: Token, colon: int | None, *, selectors: bool) -> bool:
        """Whether a blank between what was written and `after` has a meaning."""
        before = self._before
        if colon is not None and colon in {start - 1, self._at}:
            # Old browsers want one where a value is empty.
            return start > colon and after in {_SEMICOLON, _END}
        if before in _AFTER_THESE or after in _BEFORE_THESE:
            return False
        if selectors and after in _COMBINATORS:
            is_name = before.kind is Kind.NAME and not before.text.endswith("-")
            return not is_name and before not in _BEFORE_COMBINATOR
        if selectors and before in _COMBINATORS:
            return after.kind is not Kind.NAME and after not in _AFTER_COMBINATOR
        return colon is None or after != _EXCLAMATION

    def _closes_block(self, end: int) -> bool:
        """Whether the token is a `;` that only a `}` follows."""
        at = end + 1
        while self._token(at).kind in {Kind.SPACE, Kind.COMMENT}:
            at += 1
        return self._token(end) == _SEMICOLON and at < len(self._tokens) and self._token(at) == _END

    def _behind_gap(self, at: int) -> int:
        while self._token(at).kind in _GAPS:
            at += 1
        return at

    def _token(self, at: int) -> Token:
        return self._tokens[at] if at < len(self._tokens) else _SEMICOLON

    def _next(self) -> str:
        self._before = self._tokens[self._at]
        self._at += 1
        return self._before.text
