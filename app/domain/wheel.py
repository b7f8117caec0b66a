"""Wheels that somebody uploads: what their name and their metadata say (PEP 427)."""

import re
import zipfile
import zlib
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from io import BytesIO

from app.domain.extension import normalized

#: Bytes of a whole wheel.
MOST_BYTES = 50 * 1024 * 1024
#: distribution-version(-build)-python-abi-platform.whl, with nothing that a shell or pip would
#: read in another way.
FILENAME = (
    r"^[A-Za-z0-9]([A-Za-z0-9._]*[A-Za-z0-9])?-[0-9][A-Za-z0-9._!+]*(-[0-9][A-Za-z0-9._]*)?"
    r"(-[A-Za-z0-9._]+){3}\.whl$"
)
LONGEST_FILENAME = 200
#: Bytes of its METADATA, unpacked.
_MOST_METADATA = 1024 * 1024
#: Members; the archive's list of them is read whole.
_MOST_MEMBERS = 50_000
_FIRST, _MEMBER = b"PK\x03\x04", b"PK\x01\x02"
_METADATA = re.compile(r"([^/]+)\.dist-info/METADATA")
#: Of these a part can be unpacked, without the rest.
_PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
#: What zipfile raises for an archive that is broken, or made to break it.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class NoWheel(Exception):
    """The message says why it is none."""


@dataclass(frozen=True)
class Wheel:
    """Whose it is, as its metadata say."""

    #: Normalized (PEP 503).
    name: str
    version: str


def read(filename: str, content: bytes) -> Wheel:
    """What it is; raises NoWheel, also when its metadata and its name differ.

    Nothing is unpacked but the metadata, and no more of them than fits.
    """
    if len(filename) > LONGEST_FILENAME or not re.fullmatch(FILENAME, filename):
        raise NoWheel(f"{filename!r} is no name of a wheel, such as my_plugin-1.0-py3-none-any.whl")
    if not content.startswith(_FIRST):
        raise NoWheel("it is no zip archive")
    if content.count(_MEMBER) > _MOST_MEMBERS:
        raise NoWheel(f"it has more than {_MOST_MEMBERS} members")
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            raw = _metadata(archive)
    except _BROKEN as error:
        raise NoWheel(f"it is no zip archive that can be read ({error})") from None
    found = BytesHeaderParser().parsebytes(raw)
    wheel = Wheel(normalized(str(found["Name"] or "")), str(found["Version"] or ""))
    name, version = filename.split("-")[:2]
    if (wheel.name, _plain(wheel.version)) != (normalized(name), _plain(version)):
        raise NoWheel(
            f"its name says {name} {version}, and its metadata {found['Name']} {found['Version']}"
        )
    return wheel


def _metadata(archive: zipfile.ZipFile) -> bytes:
    names = archive.namelist()
    found = [name for name in names if _METADATA.fullmatch(name)]
    if len(found) != 1:
        raise NoWheel(f"it has {len(found)} files *.dist-info/METADATA and not one")
    [name] = found
    if f"{name.removesuffix('METADATA')}WHEEL" not in names:
        raise NoWheel("it has no file *.dist-info/WHEEL")
    if archive.getinfo(name).compress_type not in _PACKED:
        raise NoWheel("its metadata are packed in a way that wheels are not")
    with archive.open(name) as file:
        raw = file.read(_MOST_METADATA + 1)
    if len(raw) > _MOST_METADATA:
        raise NoWheel(f"its metadata are longer than {_MOST_METADATA} bytes")
    return raw


def _plain(version: str) -> str:
    """As it stands in a name, where - separates the parts."""
    return version.lower().replace("-", "_")
