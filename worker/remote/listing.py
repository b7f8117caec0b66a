"""Which files a folder of a host holds, from one question; see `give.sh` for its lines."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.domain.spellings import without_controls
from worker.remote import calls
from worker.remote.asking import Asking
from worker.remote.host import Fence, Listed, Listing, Output
from worker.remote.link import Link

#: What a host says goes into paths here, so it is taken for nothing unless it is just that.
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_SIZE = re.compile(rb"[0-9]{1,18}")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
#: With one of these a path would lead out, or be another spelling of another path.
_ODD_PARTS = {"", ".", ".."}

_ODD_NAME = "its name has a control character"
_REASONS = {
    b"control": _ODD_NAME,
    b"special": "it is neither a file nor a folder",
    b"closed": "the SSH user cannot look into this folder",
    b"folder": "it is a link to a folder; put the folder itself there",
    b"nowhere": "it is a link that leads nowhere",
}
_OUTSIDE = "it is a link that leads out of the release; put the file itself there"
_UNKNOWN = "it is a link, and nobody can tell where it leads"
_UNREADABLE = "it cannot be read"
_NOT_UTF_8 = "its name is not UTF-8"


async def list_files(
    link: Link, folder: str, *, within: str, fence: Fence | None, show: Output | None = None
) -> Listing:
    """See `Host.list_files`."""
    asking = Asking(link, folder, within, fence, show)
    lines = await calls.repeated(link, f"Listing {folder}", asking.lines)
    return await asyncio.to_thread(_Reading().listing, lines)


@dataclass
class _Reading:
    sizes: dict[bytes, int] = field(default_factory=dict)
    digests: dict[bytes, str] = field(default_factory=dict)
    left_out: dict[bytes, str] = field(default_factory=dict)
    _places: list[bytes] = field(default_factory=list)
    #: The links of one group, and where they lead.
    _links: list[bytes] = field(default_factory=list)
    _targets: list[bytes] = field(default_factory=list)

    def listing(self, lines: bytes) -> Listing:
        for line in lines.split(b"\n"):
            self._read(line)
        self._end_group()
        files = sorted(self._files(), key=lambda file: file.path)
        said = [f"{_shown(name)}: {why}" for name, why in sorted(self.left_out.items())]
        return Listing(tuple(files), tuple(said))

    def _read(self, line: bytes) -> None:
        rest = line[2:]
        word, _, name = rest.partition(b" ")
        match line[:2]:
            case b"@ ":
                if self._targets:
                    self._end_group()
                self._links.append(rest)
            case b"> ":
                self._targets.append(rest)
            case b"^ ":
                self._places.append(rest)
            case b"! ":
                # As a name with control characters is shown, another file may really be called.
                mark = b"\0" if word == b"control" else b""
                self.left_out[name + mark] = _REASONS.get(word, _UNREADABLE)
            case b"= " if _SIZE.fullmatch(word):
                self.sizes[name] = int(word)
            case b"= ":
                self.left_out[name] = _UNREADABLE
            case _:
                self._read_sum(line)

    def _read_sum(self, line: bytes) -> None:
        is_escaped = line.startswith(b"\\")  # how sha256sum writes a name with a backslash
        line = line.removeprefix(b"\\")
        digest, name = line[:64], line[66:]
        if _SHA256.fullmatch(digest):
            name = name.replace(b"\\\\", b"\\") if is_escaped else name
            self.digests[name] = digest.decode()

    def _end_group(self) -> None:
        """A target with a line break, or one that went meanwhile, makes the numbers differ."""
        links, targets, self._links, self._targets = self._links, self._targets, [], []
        if len(links) != len(targets):
            self.left_out.update(dict.fromkeys(links, _UNKNOWN))
            return
        allowed = tuple(place.rstrip(b"/") + b"/" for place in self._places if place)
        outside = (n for n, t in zip(links, targets, strict=True) if not t.startswith(allowed))
        self.left_out.update(dict.fromkeys(outside, _OUTSIDE))

    def _files(self) -> Iterator[Listed]:
        for name, size in self.sizes.items():
            if name in self.left_out:
                continue
            digest = self.digests.get(name)
            try:
                start, _, path = name.decode().partition("/")
            except UnicodeDecodeError:
                self.left_out[name] = _NOT_UTF_8
                continue
            if _CONTROL.search(name):
                self.left_out[name] = _ODD_NAME
            elif digest is None:
                self.left_out[name] = _UNREADABLE
            elif start == "." and not _ODD_PARTS & {*path.split("/")}:
                yield Listed(path, size, digest)


def _shown(name: bytes) -> str:
    """Without what steers a terminal: the host says it, and the job's log shows it."""
    return without_controls(name.removeprefix(b"./").rstrip(b"\0").decode(errors="replace"))
