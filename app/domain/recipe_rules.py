"""Rules of recipes that need no model: names, near misses, order without circles."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

#: Variables that Liftlock itself sets for every script of a recipe.
PLACES = ("APP_DIR", "SHARED_DIR", "RELEASE_DIR", "RUN_DIR")
FACTS = ("BIND", "PORT", "INSTANCE", "REVISION", "COMMIT", "DOMAIN", "ASSETS_URL")
#: The same where the recipe has a section `extension`; the first three for its scripts alone.
EXTENSION = (
    "EXTENSION",
    "EXTENSION_VERSION",
    "EXTENSION_REQUIREMENT",
    "EXTENSIONS",
    "EXTENSIONS_FILE",
)
#: Which variables a supervised site is started with: the step that saves them reads it.
_NAMES = "NAMES"
#: The key for a private repository: only the checkout sees it.
DEPLOY_KEY = "DEPLOY_KEY"
#: Variables of the shell, the loader and the interpreters: a setting must not change how the
#: runner itself works.
# fmt: off
_SYSTEM = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "IFS", "ENV", "BASH_ENV",
    "PS1", "PS2", "PS4", "OPTIND", "PPID", "UID", "EUID", "TMPDIR", "PYTHONHOME",
    "PYTHONPATH", "PYTHONSTARTUP", "SSH_AUTH_SOCK",
)
# fmt: on
RESERVED = frozenset((*PLACES, *FACTS, *EXTENSION, _NAMES, DEPLOY_KEY, *_SYSTEM))

#: As many words as a message can list and still be read.
FEW = 20

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
#: Of the runner (`ll_` in its shell), and of the loader.
_PREFIXES = ("LIFTLOCK_", "LL_", "LD_")


def name_problem(name: str) -> str | None:
    """Why `name` cannot be a setting or secret that scripts see; None when it can."""
    if name in RESERVED or name.upper().startswith(_PREFIXES):
        return f"`{name}` is reserved: Liftlock or the shell sets it"
    if not _VARIABLE.fullmatch(name):
        return f"`{name}` is not a variable name: capitals, digits and _, at most 64, letter first"
    return None


def near_miss(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or the known words when they are few, or nothing."""
    words = list(known)
    close = get_close_matches(word, words, n=1, cutoff=0.6) or get_close_matches(
        word.upper(), words, n=1, cutoff=0.6
    )
    if close:
        return f"; did you mean `{close[0]}`?"
    if 0 < len(words) <= FEW:
        return f"; known here: {', '.join(sorted(words))}"
    return ""


def in_order(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Names so that each follows those it comes `after`; otherwise as written.

    Names that wait for themselves, directly or not, are left out; see `circle`.
    """
    sorter = TopologicalSorter(after)
    with suppress(CycleError):
        sorter.prepare()
    written = {name: place for place, name in enumerate(after)}
    names = list(after)
    ready: list[int] = []
    done: list[str] = []
    while sorter:
        for name in sorter.get_ready():
            heappush(ready, written[name])
        if not ready:
            break
        done.append(names[heappop(ready)])
        sorter.done(done[-1])
    return done


def circle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """A chain of names, each after the next, that ends where it began; empty when there is none."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        chain: list[str] = error.args[1][:0:-1]
        members = set(chain)
        first = chain.index(next(name for name in after if name in members))
        return [*chain[first:], *chain[: first + 1]]
    return []
