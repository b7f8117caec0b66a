"""What a browser is told of a published file; the same on every machine."""

import posixpath
from collections.abc import Mapping

IMMUTABLE = "public, max-age=31536000, immutable"
#: Manifests are asked for by programs, which want to know when one has gone.
CHANGING = "no-cache"

JAVASCRIPT = "text/javascript; charset=utf-8"
UNKNOWN = "application/octet-stream"
_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".cjs": JAVASCRIPT,
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".cur": "image/x-icon",
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": JAVASCRIPT,
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": JAVASCRIPT,
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".zip": "application/zip",
}


def content_type(name: str) -> str:
    """By the ending of the name, whatever its case."""
    return _TYPES.get(posixpath.splitext(name)[1].lower(), UNKNOWN)


def of_object(name: str, *, coding: str | None, sha256: str) -> Mapping[str, str]:
    """Of an immutable file, or of its copy in that content coding."""
    told = {
        "Cache-Control": IMMUTABLE,
        "Content-Type": content_type(name),
        "sha256": sha256,
    }
    return told | ({"Content-Encoding": coding} if coding else {})


def of_record() -> Mapping[str, str]:
    """Of a manifest, and of what a publish or a collection notes."""
    return {"Cache-Control": CHANGING, "Content-Type": "application/json"}
