"""Finds what a JavaScript file says about other files."""

from collections.abc import Iterator
from itertools import pairwise

from worker.assets.readers.javascript_maps import source_maps
from worker.assets.readers.reference import Found, Reference, Unknowable


def find(text: str, *, modules: bool) -> Found:
    """Without `modules` only source maps. Never fails: behind a place that is no JavaScript it
    finds nothing more.
    """
    found: list[Reference | Unknowable] = list(source_maps(text))
    if modules:
        found.extend(_modules(text))
    found.sort(key=lambda item: item.start)
    references = tuple(item for item in found if isinstance(item, Reference))
    return Found(references, tuple(_apart(found)))


def prepare() -> None:
    """Compile the patterns for modules now: processes that are forked later have them all."""
    from worker.assets.readers import javascript_candidates, javascript_lexer  # noqa: F401, PLC0415


def _modules(text: str) -> Iterator[Reference | Unknowable]:
    # Not above: to compile their patterns takes a tenth of a small build that does without.
    from worker.assets.readers.javascript_candidates import candidates  # noqa: PLC0415
    from worker.assets.readers.javascript_lexer import Lexer  # noqa: PLC0415

    if not (places := candidates(text)):
        return
    lexer = Lexer(text)
    for place, read in places:
        if lexer.is_code(place) and not lexer.is_member(place):
            yield from read(text, place)


def _apart(found: list[Reference | Unknowable]) -> Iterator[Unknowable]:
    """What is computed may hold a reference: it ends where that begins."""
    for item, after in pairwise([*found, None]):
        if isinstance(item, Unknowable):
            yield Unknowable(item.start, min(item.end, after.start) if after else item.end)
