"""Extensions: packages added to a release, and what a change of one means for the others."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from app.domain.recipe_rules import circle, in_order, near_miss

#: Characters of a stored load error: the end of a traceback says more than its beginning.
_MOST_ERROR, _MOST_MESSAGE = 16_000, 2_000
#: Lines of output that are kept where there is no traceback.
_FEW_LINES = 30
#: Wherever it begins: who fails may have left a line open.
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):[ \t]*$", re.MULTILINE)


class ExtensionStatus(StrEnum):
    #: A job is to bring it there; nothing says yet that it works.
    INSTALLING = "installing"
    ENABLED = "enabled"
    #: Its package is in the releases, and the site takes no notice of it.
    DISABLED = "disabled"
    #: The last job that was about it failed; `load_error` tells why.
    FAILED = "failed"


@dataclass(frozen=True)
class PackageSource:
    """Where a package comes from: PyPI, an archive with its digest, or an uploaded wheel."""

    package: str  # as its author writes it
    version: str
    url: str | None = None
    sha256: str | None = None
    wheel: str | None = None  # the file's name

    def document(self) -> dict[str, Any]:
        """Plain JSON data without what is not said."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Extension:
    """One of a release's set; `name` and those it `requires` are normalized."""

    name: str
    version: str
    source: PackageSource
    enabled: bool = True
    #: As `Extensions.resolve_settings` gives them.
    settings: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How people read of it."""
        return f"{self.source.package} {self.version}"

    def document(self) -> dict[str, Any]:
        """Plain JSON data; `from_document` reads it back."""
        return {
            **self.listed(),
            "source": self.source.document(),
            "requires": list(self.requires),
        }

    def listed(self) -> dict[str, Any]:
        """What the scripts of a recipe find of it in `EXTENSIONS_FILE`."""
        return {
            "name": self.name,
            "version": self.version,
            "enabled": self.enabled,
            "settings": dict(self.settings),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Extension":
        """The same as it was; raises KeyError and TypeError for data of another kind."""
        return Extension(
            name=document["name"],
            version=document["version"],
            source=PackageSource(**document["source"]),
            enabled=document["enabled"],
            settings=dict(document["settings"]),
            requires=tuple(document["requires"]),
        )


class CannotChange(Exception):
    """The change is refused before anything is done; `code` is one of the catalogue."""

    def __init__(self, code: str, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.code, self.detail, self._hint = code, detail, hint

    def hint(self, instance: str) -> str:
        """What to do about it; no set of extensions knows whose it is."""
        return self._hint.replace("INSTANCE", instance)


@dataclass(frozen=True)
class Change:
    """A new release's set, each behind those it requires, and names in the order of their hooks."""

    after: tuple[Extension, ...]
    disable: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    #: Those that are new, of another version, or were disabled.
    enable: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Plain JSON data; `from_document` reads it back."""
        names = {"disable": self.disable, "uninstall": self.uninstall, "enable": self.enable}
        return {
            "after": [one.document() for one in self.after],
            **{key: list(some) for key, some in names.items()},
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Change":
        """The same as it was; raises KeyError and TypeError for data of another kind."""
        names = {key: tuple(document[key]) for key in ("disable", "uninstall", "enable")}
        return Change(tuple(Extension.from_document(one) for one in document["after"]), **names)


def normalized(name: str) -> str:
    """The name by which PyPI finds a package (PEP 503): `Django_Tables2` is `django-tables2`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(source: PackageSource, wheel_path: str = "") -> str:
    """What pip is told; `wheel_path` is where an uploaded wheel lies on the host."""
    if source.wheel:
        return wheel_path
    if source.url:
        return f"{source.package} @ {source.url}#sha256={source.sha256}"
    return f"{source.package}=={source.version}"


def in_order_of_enabling(have: Iterable[Extension]) -> tuple[Extension, ...]:
    """Each behind those that it requires, else as they come."""
    found = _by_name(have)
    return tuple(found[name] for name in _order(found))


def install(have: Iterable[Extension], wanted: Extension) -> Change:
    """Enabled behind what it requires, which is enabled as well; raises CannotChange.

    Takes the place of the one of its name, whatever version that has.
    """
    found = _by_name(have)
    found[wanted.name] = replace(wanted, enabled=False)
    return _enabled(found, wanted.name)


def enable(have: Iterable[Extension], name: str) -> Change:
    """The same for one that is installed."""
    found = _by_name(have)
    _known(found, name)
    return _enabled(found, name)


def disable(have: Iterable[Extension], name: str, *, always: Collection[str] = ()) -> Change:
    """Behind what depends on it, which is disabled first and stays; raises CannotChange."""
    found = _by_name(have)
    _known(found, name)
    after, disabled = _disabled(found, name, always, "disabled")
    return _change(after, disable=disabled)


def uninstall(have: Iterable[Extension], name: str, *, always: Collection[str] = ()) -> Change:
    """Disabled, and left out of the set; raises CannotChange."""
    found = _by_name(have)
    _known(found, name)
    after, disabled = _disabled(found, name, always, "uninstalled")
    del after[name]
    return _change(after, disable=disabled, uninstall=(name,))


def load_error(message: str, output: str) -> str:
    """What people read: a message, an empty line, and the last traceback of what a step said."""
    message = message[:_MOST_MESSAGE]
    starts = [found.start() for found in _TRACEBACK.finditer(output)]
    said = output[starts[-1] :] if starts else _last_lines(output)
    said = said.strip("\n")
    if not said:
        return message
    room = _MOST_ERROR - len(message) - 2
    if len(said) > room:
        begin = f"{said.splitlines()[0][:200]}\n...\n" if starts else ""
        said = begin + said[len(said) - room + len(begin) :]
    return f"{message}\n\n{said}"


def _by_name(have: Iterable[Extension]) -> dict[str, Extension]:
    return {one.name: one for one in have}


def _known(found: Mapping[str, Extension], name: str) -> None:
    if name not in found:
        detail = f"The extension {name} is not installed{near_miss(name, found)}."
        raise CannotChange("not-found", detail, "liftlock extensions list INSTANCE")


def _enabled(found: dict[str, Extension], name: str) -> Change:
    _refuse_circle(found)
    needed = _closure(name, {one.name: one.requires for one in found.values()})
    for one in needed:
        _refuse_missing(found, one)
    fresh = {one for one in needed if not found[one].enabled}
    after = {
        one: replace(each, enabled=each.enabled or one in fresh) for one, each in found.items()
    }
    order = [one for one in _order(after) if one in fresh]
    return _change(after, enable=tuple(order))


def _refuse_missing(found: Mapping[str, Extension], name: str) -> None:
    missing = [one for one in found[name].requires if one not in found]
    if missing:
        names, them = ", ".join(missing), "them" if len(missing) > 1 else "it"
        raise CannotChange(
            "requirement-missing",
            f"{name} requires {names}, and the instance does not have {them}.",
            f"liftlock extensions install INSTANCE {missing[0]} VERSION",
        )


def _refuse_circle(found: Mapping[str, Extension]) -> None:
    if chain := circle(_requirements(found)):
        raise CannotChange(
            "requirement-circle",
            f"Extensions require each other: {' -> '.join(chain)}.",
            "Take one of them out of the `requires` of another, and install that again.",
        )


def _disabled(
    found: Mapping[str, Extension], name: str, always: Collection[str], verb: str
) -> tuple[dict[str, Extension], tuple[str, ...]]:
    """The set with it and its dependents disabled, and the names of those that were not."""
    needs = _requirements(found)
    dependents = {one: [each for each in found if one in needs[each]] for one in found}
    concerned = _closure(name, dependents)
    enabled = [one for one in reversed(_order(found)) if one in concerned and found[one].enabled]
    kept = [one for one in dict.fromkeys((name, *enabled)) if one in always]
    _refuse_always(name, kept, verb)
    after = {
        one: replace(each, enabled=each.enabled and one not in enabled)
        for one, each in found.items()
    }
    return after, tuple(enabled)


def _refuse_always(name: str, kept: Sequence[str], verb: str) -> None:
    if not kept:
        return
    detail = f"{name} cannot be {verb}: "
    detail += "it is" if kept[0] == name else f"{kept[0]} requires it, and that is"
    raise CannotChange(
        "extension-always-enabled",
        f"{detail} always enabled.",
        "The recipe says so: `extension.always_enabled`.",
    )


def _change(after: Mapping[str, Extension], **hooks: tuple[str, ...]) -> Change:
    return Change(in_order_of_enabling(after.values()), **hooks)


def _order(found: Mapping[str, Extension]) -> list[str]:
    """Requirements first, else as they were installed."""
    return in_order(_requirements(found))


def _requirements(found: Mapping[str, Extension]) -> dict[str, list[str]]:
    """Of each, those that are there: a disabled one may have lost what it requires."""
    return {name: [one for one in each.requires if one in found] for name, each in found.items()}


def _closure(name: str, following: Mapping[str, Iterable[str]]) -> dict[str, None]:
    """The name and everything that follows from it, each once."""
    found, new = {name: None}, [name]
    while new:
        after = [one for one in following.get(new.pop(), ()) if one not in found]
        found |= dict.fromkeys(after)
        new += after
    return found


def _last_lines(output: str) -> str:
    return "\n".join(output.strip("\n").splitlines()[-_FEW_LINES:])
