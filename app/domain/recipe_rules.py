"""Rules of recipes that need no model: names, near misses, order without circles."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

#: Variables that Liftlock itself sets for every script of a recipe.
PLACES = ("APP_DIR", "SHARED_DIR", "RELEASE_DIR", "RUN_DIR")
FACTS = ("BIND", "PORT", "INSTANCE", "REVISION", "COMMIT", "DOMAIN")
#: The key for a private repository: only the checkout sees it.
DEPLOY_KEY = "DEPLOY_KEY"
#: Variables of the shell, the loader and the interpreters: a setting must not change how the
#: runner itself works.
# fmt: off
_SYSTEM = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "IFS", "ENV", "BASH_ENV",
    "PS1", "PS2", "PS4", "OPTIND", "PPID", "UID", "EUID", "TMPDIR", "LD_PRELOAD",
    "LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "SSH_AUTH_SOCK",
)
# fmt: on
RESERVED = frozenset((*PLACES, *FACTS, DEPLOY_KEY, *_SYSTEM))

#: As many words as a message can list and still be read.
FEW = 20

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_PREFIX = "LIFTLOCK_"


def name_problem(name: str) -> str | None:
    """Why `name` cannot be a setting or secret that scripts see; None when it can."""
    if not _VARIABLE.fullmatch(name):
        return f"`{name}` is not a variable name: capitals, digits and _, at most 64, letter first"
    if name in RESERVED or name.startswith(_PREFIX):
        return f"`{name}` is reserved: Liftlock or the shell sets it"
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
    waiting = dict(after)
    done: list[str] = []
    while ready := next((name for name in waiting if set(waiting[name]) <= set(done)), None):
        done.append(ready)
        del waiting[ready]
    return done


def circle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """A chain of names that ends where it began, empty when there is none."""
    left = {name: before for name, before in after.items() if name not in in_order(after)}
    if not left:
        return []
    chain = [next(iter(left))]
    while True:
        following = next(name for name in left[chain[-1]] if name in left)
        if following in chain:
            return [*chain[chain.index(following) :], following]
        chain.append(following)
