"""The spellings in which a secret shows up in output, and text that may be stored and shown."""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

#: Shorter values would blank out ordinary words; the API refuses secrets below this length.
MIN_SECRET = 6

#: The shortest piece of a broken encoding that is masked; of hex, which commits are written
#: in too, it takes more to be sure.
_MIN_BASE64_PIECE = 4
_MIN_HEX_PIECE = 8

_CONTROLS = re.compile(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]")
_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_UNICODE_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
_UNSAFE_IN_SHELL = re.compile(r"([^\w@%+=:,./-])", re.ASCII)
#: What `printf %q` of bash escapes where the locale is UTF-8.
_UNSAFE_IN_BASH = re.compile(r"""([ \t!"$&'()*,;<>?\[\\\]^`{|}]|^[#~])""")
_UNSAFE_IN_DOUBLE_QUOTES = re.compile(r'([$"`\\])')
_SUB_DELIMS = "!$&'()*+,;="


def without_nul(text: str) -> str:
    """Postgres stores every character but this one."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def without_controls(text: str) -> str:
    """Text of a host for the eyes of people: one that steers no terminal, in lines and tabs."""
    return _CONTROLS.sub("", without_nul(text))


def variants(value: str) -> frozenset[str]:
    """The spellings under which a secret shows up in output: plain, quoted and encoded."""
    plain = {value, without_controls(value), *(line.strip() for line in value.splitlines())}
    found = {spelled for text in plain if len(text) >= MIN_SECRET for spelled in _quoted(text)}
    raw = value.encode()
    for whole in (raw, raw + b"\n"):
        found.update(_whole_base64(whole))
    found = {text for text in found if "\n" not in text} | {text for text, _ in encoded(raw)}
    # Spellings are kept to one line: a secret of several lines is masked line by line, so
    # that a stream may show every finished line at once.
    return frozenset(text for text in found if len(text) >= MIN_SECRET)


def _quoted(text: str) -> Iterator[str]:
    """As it is, and inside the quotes and escapes of shells, JSON, Python, HTML and URLs."""
    yield text
    yield text.replace("'", "'\\''")
    yield text.replace("'", "'\"'\"'")
    # Of YAML.
    yield text.replace("'", "''")
    escaped = text.replace("\\", "\\\\")
    yield escaped.replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    for unsafe in (_UNSAFE_IN_SHELL, _UNSAFE_IN_BASH, _UNSAFE_IN_DOUBLE_QUOTES):
        yield unsafe.sub(r"\\\1", text)
    yield repr(text)[1:-1]
    for in_json in _in_json(text):
        yield from (in_json, *_in_json(in_json))
    in_html = html.escape(text)
    decimal = in_html.replace("&#x27;", "&#39;")
    yield from (
        html.escape(text, quote=False),
        in_html,
        decimal,
        decimal.replace("&quot;", "&#34;"),
    )
    for in_url in (
        quote(text),
        quote(text, safe=""),
        quote(text, safe="!~*'()"),
        quote(text, safe=_SUB_DELIMS),
        quote(text, safe=f"{_SUB_DELIMS}:"),
        quote_plus(text),
    ):
        yield from (in_url, _ESCAPE.sub(lambda escape: escape[0].lower(), in_url))


def _in_json(text: str) -> Iterator[str]:
    """Inside a string of JSON; JSON may stand in JSON once more."""
    for in_json in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        for spelled in (in_json, in_json.replace("/", "\\/")):
            yield spelled
            yield _UNICODE_ESCAPE.sub(lambda escape: f"\\u{escape[0][2:].upper()}", spelled)


def encoded(raw: bytes) -> Iterator[tuple[str, int]]:
    """What is left of the value inside longer text in base64 or hex, and its shortest piece."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode()
        # The first characters also hold bits of what stands before, the last of what follows.
        whole = text[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        # `echo` adds the end of a line: then no bits of a neighbour are in the last character.
        ended = base64.b64encode(bytes(before) + raw + b"\n").decode()
        for spelled in (whole, ended[(0, 2, 3)[before] :].rstrip("=")):
            yield spelled, _MIN_BASE64_PIECE
            yield spelled.translate(str.maketrans("+/", "-_")), _MIN_BASE64_PIECE
    yield raw.hex(), _MIN_HEX_PIECE
    yield raw.hex().upper(), _MIN_HEX_PIECE


def _whole_base64(raw: bytes) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(raw).decode()
        yield from (text, text.rstrip("="))
