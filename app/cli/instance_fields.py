"""What `instances create` and `instances set` can say of a site, as fields of the API."""

from typing import Annotated, Any

import typer

from app.cli import arguments
from app.cli.errors import UsageError
from app.domain.router import TlsMode

_NEVER = "never"

Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; repeat it.")
]
Pool = Annotated[
    str | None, typer.Option(help="Any open host of this pool, instead of a host; '' for none.")
]
Provider = Annotated[
    str | None,
    typer.Option(help="Who makes a machine for each app server, instead of both; '' for none."),
]
Label = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Only hosts of the pool that have it; repeat it."),
]
TargetCount = Annotated[
    int | None, typer.Option(min=1, max=50, help="App servers that serve together [1].")
]
RetentionDays = Annotated[
    str | None,
    typer.Option(metavar="N|never", help="Days until unneeded app servers are terminated [2]."),
]
RouterName = Annotated[
    str | None, typer.Option(help="The router that passes requests on to it; '' for none.")
]
TlsOption = Annotated[
    TlsMode | None, typer.Option(help="How browsers reach it [off]; `files` needs both files.")
]
Certificate = Annotated[
    str | None, typer.Option(metavar="PATH", help="Its certificate, on the router's host.")
]
Key = Annotated[
    str | None, typer.Option(metavar="PATH", help="The certificate's key, on the router's host.")
]


def fields(
    *,
    place: tuple[str | None, str | None, str | None],
    route: tuple[str | None, str | None],
    tls: tuple[TlsMode | None, str | None, str | None],
    count: tuple[int | None, str | None],
    label: list[str] | None,
) -> dict[str, Any]:
    """Those that were given: places, router and domain, mode and files, target and days.

    An empty name takes a value away; a host, a pool and a provider take each other away.
    """
    target_count, days = count
    found = _place(*place)
    for name, value in zip(("router", "domain"), route, strict=True):
        if value is not None:
            found[name] = value or None
    if label:
        found["labels"] = arguments.pairs(label, option="--label")
    if target_count is not None:
        found["target_count"] = target_count
    if days is not None:
        found["retention_days"] = _days(days)
    return found | _tls(*tls)


def _place(host: str | None, pool: str | None, provider: str | None) -> dict[str, Any]:
    """The one given takes the other ones away."""
    told = {"host": host, "pool": pool, "provider": provider}
    named = [name for name, text in told.items() if text]
    if len(named) > 1:
        first, second = (f"--{name}" for name in named[:2])
        raise UsageError(
            f"A site lives on a host, in a pool or by a provider: give {first} or {second},"
            " not both."
        )
    if named:
        return {name: text or None for name, text in told.items()}
    return {name: None for name, text in told.items() if text is not None}


def _days(text: str) -> int | None:
    if text == _NEVER:
        return None
    if not text.isdecimal():
        raise UsageError(
            f"--retention-days {text!r} is no number of days.",
            hint="For example --retention-days 7, or --retention-days never",
        )
    return int(text)


def _tls(mode: TlsMode | None, certificate: str | None, key: str | None) -> dict[str, Any]:
    files = {"certificate": certificate, "key": key}
    named = {name: value for name, value in files.items() if value is not None}
    if mode is None:
        return {"tls": named} if named else {}
    # Another mode takes the files of before away.
    return {"tls": {"mode": mode.value, **(named if mode is TlsMode.FILES else files)}}
