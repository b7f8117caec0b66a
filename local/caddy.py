"""One Caddy that serves published asset releases from a folder, and nothing else."""

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import ports

#: Of files that Go knows no type of by itself: what it finds on the machine would differ.
TYPES = {
    "eot": "application/vnd.ms-fontobject",
    "ico": "image/x-icon",
    "map": "application/json",
    "mp4": "video/mp4",
    "otf": "font/otf",
    "ttf": "font/ttf",
    "txt": "text/plain; charset=utf-8",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "woff": "font/woff",
    "woff2": "font/woff2",
}
#: What has its hash in its name never changes, if it is there.
_HASHED = {
    "path_regexp": {"pattern": r"\.[0-9a-f]{12}(\.[^./]+)?$"},
    "not": [{"path": ["*/_releases/*"]}],
    "file": {},
}
#: Not the server's own way to hide files: it looks at the folders above its root too, and the data
#: of `liftlock up` lies in `.liftlock`.
_HIDDEN = {
    "match": [{"path_regexp": {"pattern": r"/\."}}],
    "handle": [{"handler": "error", "status_code": 404}],
}
_FOREVER = "public, max-age=31536000, immutable"
#: Fonts and modules are asked for from the pages of other origins.
_ALL = {
    "Access-Control-Allow-Origin": ["*"],
    "X-Content-Type-Options": ["nosniff"],
    "Cache-Control": ["no-cache"],
}


@dataclass(frozen=True)
class AssetServer:
    program: Path
    #: Its configuration and what it keeps.
    directory: Path
    #: What it serves.
    folder: Path
    host: str
    port: int

    @property
    def config(self) -> Path:
        return self.directory / "caddy.json"

    def write_config(self) -> None:
        self.config.write_text(json.dumps(self._config(), indent=1))

    def argv(self) -> tuple[str, ...]:
        return (str(self.program), "run", "--config", str(self.config))

    def _config(self) -> dict[str, Any]:
        server = {
            "listen": [f"{ports.bracketed(self.host)}:{self.port}"],
            "automatic_https": {"disable": True},
            "routes": [{"handle": self._handlers()}],
            "errors": {"routes": [{"handle": [_headers({"Cache-Control": ["no-store"]}), _SAID]}]},
        }
        return {
            "admin": {"disabled": True, "config": {"persist": False}},
            "storage": {"module": "file_system", "root": str(self.directory / "state")},
            "apps": {"http": {"servers": {"assets": server}}},
        }

    def _handlers(self) -> list[dict[str, Any]]:
        typed = [
            {"match": [{"path": [f"*.{ending}"]}], "handle": [_headers({"Content-Type": [kind]})]}
            for ending, kind in TYPES.items()
        ]
        hashed = {"match": [_HASHED], "handle": [_headers({"Cache-Control": [_FOREVER]})]}
        files = {
            "handler": "file_server",
            "precompressed": {"zstd": {}, "br": {}, "gzip": {}},
            "precompressed_order": ["zstd", "br", "gzip"],
        }
        return [
            {"handler": "vars", "root": str(self.folder)},
            _headers(_ALL),
            {"handler": "subroute", "routes": [_HIDDEN, hashed, *typed]},
            files,
        ]

    @property
    def url(self) -> str:
        """Where browsers on this machine find the folder; ends with `/`."""
        return f"{ports.url(self.host, self.port)}/"

    def answers(self) -> bool:
        """Whether something accepts connections there (blocks for at most 1 s)."""
        with suppress(OSError), socket.create_connection((self.host or "localhost", self.port), 1):
            return True
        return False


def _headers(values: dict[str, list[str]]) -> dict[str, Any]:
    return {"handler": "headers", "response": {"set": values}}


_SAID = {
    "handler": "static_response",
    "status_code": "{http.error.status_code}",
    "body": "{http.error.status_code} {http.error.status_text}",
}
