"""References get the names that files have with their hashes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from posixpath import basename

from worker.assets.building.hashing import short_hash
from worker.assets.building.scanning import Link
from worker.assets.url import renamed

#: A file's path below the root, to the path it has with its hash; None: the reference stays.
#: No text of a style sheet or a script has it.
MARK = "\0"
Names = Callable[[str], str | None]


def rewritten(text: str, links: Sequence[Link], names: Names, *, mark: str = "") -> str:
    """`mark` comes before and behind each reference that was rewritten."""
    return "".join(_pieces(text, links, names, mark))


def _pieces(text: str, links: Sequence[Link], names: Names, mark: str) -> Iterator[str]:
    end = 0
    for link in links:
        if name := names(link.target.path):
            yield text[end : link.start]
            yield f"{mark}{link.form.value.format(renamed(link.target, basename(name)))}{mark}"
            end = link.end
    yield text[end:]


def cycle_hash(members: Iterable[tuple[str, str]]) -> str:
    """One hash for files that refer to each other, of their paths and texts in order.

    In the texts, references to each other have the plain names, and all others the hashed ones;
    all are marked, for a text that looks the same and is no reference stays as it is.
    """
    parts = (
        f"{len(path.encode())} {len(encoded)}\n{path}\n".encode() + encoded
        for path, text in members
        for encoded in (text.encode(),)
    )
    return short_hash(parts)
