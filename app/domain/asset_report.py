"""What a worker tells of an asset release: bounded, and clean of secrets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from app.domain.asset_release import AssetReleaseStatus

#: So many of a release's warnings, and of its errors, are kept; all of them are counted.
MOST_KEPT = 200
#: A compiler may say as much as it likes.
_LONGEST_TEXT = 4_000

#: What makes a terminal or a browser show a line in another order than it is written in.
_BIDI = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}

_Problem = dict[str, Any]


@dataclass(frozen=True)
class AssetReleaseReport:
    """What a worker tells of a release that it published, or could not publish."""

    release: str
    status: AssetReleaseStatus
    #: Of the manifest; None when there is none.
    hash: str | None = None
    files: int = 0
    bytes: int = 0
    #: Those that the last publish put; what a try before it had put counts as reused.
    new_files: int = 0
    new_bytes: int = 0
    reused_files: int = 0
    #: Compressed copies beside the files.
    copies: int = 0
    warnings: list[_Problem] = field(default_factory=list)
    warnings_total: int = 0
    errors: list[_Problem] = field(default_factory=list)
    errors_total: int = 0
    base_url: str | None = None
    manifest_url: str | None = None

    @classmethod
    def of(
        cls, status: AssetReleaseStatus, told: Mapping[str, Any], *, clean: Callable[[str], str]
    ) -> Self:
        """What the note of the worker says, bounded; `clean` takes secrets out of its texts."""
        warnings, errors = told.get("warnings") or (), told.get("errors") or ()
        urls = {name: told.get(name) for name in ("base_url", "manifest_url")}
        return cls(
            release=str(told["release"]),
            status=status,
            hash=told.get("hash"),
            files=told.get("files", 0),
            bytes=told.get("bytes", 0),
            new_files=told.get("new", 0),
            new_bytes=told.get("new_bytes", 0),
            reused_files=told.get("reused", 0),
            copies=told.get("copies", 0),
            warnings=_kept(warnings, clean),
            warnings_total=told.get("warnings_total", len(warnings)),
            errors=_kept(errors, clean),
            errors_total=told.get("errors_total", len(errors)),
            **{name: clean(url) if url else None for name, url in urls.items()},
        )


def is_repeat(known: AssetReleaseStatus, told: AssetReleaseStatus) -> bool:
    """Whether `told` of a release that is `known` comes of doing a step again.

    The files stay as they were published; a repeat would count all of them as reused.
    """
    return known is AssetReleaseStatus.VERIFIED or known is told is AssetReleaseStatus.PUBLISHED


def _kept(problems: Sequence[_Problem], clean: Callable[[str], str]) -> list[_Problem]:
    return [
        {name: value if name == "code" else _cleaned(value, clean) for name, value in one.items()}
        for one in problems[:MOST_KEPT]
    ]


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Cut behind the cleaning: of a secret that was cut first, a part would stay."""
    match value:
        case str():
            text = clean(value).translate(_BIDI)
            return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}\u2026"
        case list() | tuple():
            return [_cleaned(item, clean) for item in value]
    return value
