"""Pairs of brackets in JavaScript, looked for only where somebody asks."""

from dataclasses import dataclass, field

from worker.assets.readers.javascript_tokens import BRACKET


@dataclass(slots=True)
class _Stretch:
    """What is left of a stretch of code when its own pairs are taken out."""

    closing: int = 0
    opening: list[int] = field(default_factory=list)
    #: Where the last closed bracket opened, when that is inside the stretch.
    closed: int | None = None


class Brackets:
    """Stretches of code in order. Each is read at most once, so the work stays linear."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._stretches: list[tuple[int, int] | _Stretch] = []

    def add(self, start: int, end: int) -> None:
        self._stretches.append((start, end))

    def opener(self) -> int:
        """Where the bracket opened that ends the last stretch; 0 when it opened nowhere."""
        last = self._pop()
        if last.closed is not None:
            self._stretches.append(last)
            return last.closed
        # It is the last bracket: nothing can be open behind it.
        wanted = last.closing
        while self._stretches:
            earlier = self._pop()
            if wanted <= len(earlier.opening):
                opener = earlier.opening[-wanted]
                del earlier.opening[-wanted:]
                self._stretches.append(earlier)
                return opener
            wanted += earlier.closing - len(earlier.opening)
        self._stretches.append(_Stretch(wanted))
        return 0

    def _pop(self) -> _Stretch:
        stretch = self._stretches.pop()
        return stretch if isinstance(stretch, _Stretch) else self._read(*stretch)

    def _read(self, start: int, end: int) -> _Stretch:
        stretch = _Stretch()
        # Not a search: behind the last bracket it would try again at each character.
        while start < end and (bracket := BRACKET.match(self._text, start, end)):
            start = bracket.end()
            if not bracket[1]:
                continue
            if bracket[1] in "({":
                stretch.opening.append(bracket.start(1))
            elif stretch.opening:
                stretch.closed = stretch.opening.pop()
            else:
                stretch.closing += 1
                stretch.closed = None
        return stretch
