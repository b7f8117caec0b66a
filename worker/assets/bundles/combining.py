"""Several texts as one, and where each line of it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one file; `line` is where it stands there, from 1."""

    path: str
    text: str
    line: int = 1


@dataclass(frozen=True)
class Combined:
    text: str
    #: In order; each ends where the next one begins.
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> "Combined":
        kept = tuple(pieces)
        return cls("".join(piece.text for piece in kept), kept)

    def place(self, line: int) -> tuple[str, int]:
        """File and line of a line of the whole, both from 1."""
        first = 1
        for piece in self.pieces:
            lines = piece.text.count("\n")
            if line < first + lines or piece is self.pieces[-1]:
                return piece.path, piece.line + line - first
            first += lines
        return "", line
