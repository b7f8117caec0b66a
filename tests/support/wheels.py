"""Wheels, made in memory: as builds make them, or wrong where a test says so."""

import io
import zipfile

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: ä\n\nText.\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel(name="guestbook_stars", version="1.2.0", *, packed=zipfile.ZIP_DEFLATED, **members):
    """The bytes of one; `members` are more of its files, or None for one that is left out.

    `METADATA` and `WHEEL` stand for the two files of its metadata.
    """
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": b"",
        f"{info}/METADATA": members.pop("METADATA", METADATA.format(name=name, version=version)),
        f"{info}/WHEEL": members.pop("WHEEL", WHEEL),
        **members,
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packed) as archive:
        for path, content in files.items():
            if content is not None:
                archive.writestr(zipfile.ZipInfo(path), content, compress_type=packed)
    return made.getvalue()


def filename(name="guestbook_stars", version="1.2.0"):
    return f"{name}-{version}-py3-none-any.whl"
