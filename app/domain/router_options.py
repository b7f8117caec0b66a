"""What each kind of router is told besides its routes: its files, its ports, its control socket."""

import ipaddress
import re
from collections.abc import Callable, Mapping

from app.domain.naming import is_address
from app.domain.router import CAPABILITIES, RouterKind

_PLAIN_PATH = re.compile(r"/?[A-Za-z0-9 ._/+@:,=~-]*")
_LOCAL_ADDRESS = re.compile(r"[A-Za-z0-9.:-]+:[0-9]{1,5}|unix//[A-Za-z0-9 ._/+@:,=~-]+")
#: Lowest and highest number of a port, and of seconds for which a request is held.
_PORTS, _SECONDS = (1, 65535), (0, 60)
_LONGEST = 500

#: Options of every kind. A folder is absolute, or below the base folder of the router's host.
_COMMON: dict[str, str | int] = {
    "folder": "",  # where routes are kept; empty: `routers/KIND`
    "sites": "",  # what the router's main file includes; empty: `sites` in `folder`
    "address": "127.0.0.1",  # where the host itself reaches its ports
    "bind": "",  # the one address it listens at; empty: all
    "http_port": 80,
    "https_port": 443,
    "program": "",  # a name or a path; empty: the kind's name
    "config": "",  # the main file
    "reload": "",  # a shell command instead of the kind's own
    "hold": 0,  # seconds for which a request waits while no app server answers
}
_OWN: dict[RouterKind, dict[str, str | int]] = {
    RouterKind.CADDY: {"config": "/etc/caddy/Caddyfile", "admin": "localhost:2019"},
    RouterKind.NGINX: {"config": "/etc/nginx/nginx.conf"},
    RouterKind.HAPROXY: {
        "config": "/etc/haproxy/haproxy.cfg",
        "socket": "/run/haproxy/admin.sock",
    },
}


def checked(kind: RouterKind, options: Mapping[str, object]) -> dict[str, str | int]:
    """All options of the kind, those that are not given with their defaults.

    Raises ValueError with two arguments: the option, and what is wrong with it as a sentence.
    """
    folder = f"routers/{kind}"
    known = {**_COMMON, "program": str(kind), "folder": folder, **_OWN[kind]}
    for name in options:
        if name not in known:
            raise ValueError(name, f"{kind} takes no such option; it takes: {', '.join(known)}.")
    result = dict(known)
    for name, value in options.items():
        result[name] = _typed(name, value, like=known[name])
        if message := _RULES.get(name, _fine)(str(value)):
            raise ValueError(name, message)
    if result["hold"] and not CAPABILITIES[kind].holds:
        raise ValueError("hold", f"{kind} cannot hold requests back; leave it at 0.")
    result["sites"] = result["sites"] or f"{result['folder']}/sites"
    return result


def _typed(name: str, value: object, *, like: str | int) -> str | int:
    if isinstance(like, int):
        return _number(name, value)
    if not isinstance(value, str):
        raise ValueError(name, "It is a text.")  # noqa: TRY004 - as above
    if len(value) > _LONGEST or not value.isprintable():
        raise ValueError(name, f"It has at most {_LONGEST} characters, all of them visible.")
    return value


def _number(name: str, value: object) -> int:
    what, (lowest, highest) = ("seconds", _SECONDS) if name == "hold" else ("a port", _PORTS)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(name, f"It is {what}: a number.")  # noqa: TRY004 - of what was asked for
    if not lowest <= value <= highest:
        raise ValueError(name, f"It is {what}, between {lowest} and {highest}.")
    return value


def _path(value: str) -> str:
    if not _PLAIN_PATH.fullmatch(value) or ".." in value.split("/"):
        return "A path has letters, digits, spaces and . _ / + @ : , = ~ - only, and no `..`."
    return ""


def _absolute(value: str) -> str:
    return _path(value) if value.startswith("/") else "It is an absolute path."


def _folder(value: str) -> str:
    return _path(value) if value.strip("/ ") else "It is a folder, absolute or below the base."


def _program(value: str) -> str:
    return _path(value) if value and not value.startswith("-") else "It is a program."


def _address(value: str) -> str:
    return "" if is_address(value) else "It is an IP address or a host name."


def _bind(value: str) -> str:
    try:
        ipaddress.ip_address(value or "127.0.0.1")
    except ValueError:
        return "It is an IP address, or empty."
    return ""


def _admin(value: str) -> str:
    return "" if _LOCAL_ADDRESS.fullmatch(value) else "It is `host:port` or `unix//path`."


def _fine(_value: str) -> str:
    return ""


_RULES: dict[str, Callable[[str], str]] = {
    "folder": _folder,
    "sites": _path,
    "address": _address,
    "bind": _bind,
    "program": _program,
    "config": _absolute,
    "admin": _admin,
    "socket": _absolute,
}
