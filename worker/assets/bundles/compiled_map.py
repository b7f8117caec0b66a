"""Source maps of compilers, as if they had written where the file will be."""

import json
import os
from pathlib import Path

_MAP = ".map"


def rebase(folder: Path, source: Path) -> None:
    """Rewrite the maps in `folder`, whose files will stand beside `source`.

    Compilers name the sources as seen from the folder that they write to; it is gone after the
    build, and another one in the next. What cannot be read as a map stays as it is.
    """
    for file in folder.rglob(f"*{_MAP}"):
        try:
            told = json.loads(file.read_bytes())
            sources = [_seen(name, file.parent, source.parent) for name in told["sources"]]
        except (ValueError, KeyError, TypeError, OSError):
            continue
        if sources != told["sources"] and not told.get("sourceRoot"):
            text = json.dumps({**told, "sources": sources}, ensure_ascii=False)
            file.write_text(text, encoding="utf-8")


def _seen(name: str, before: Path, after: Path) -> str:
    if ":" in name or name.startswith("/"):
        return name
    return os.path.relpath(os.path.realpath(before / name), os.path.realpath(after))
