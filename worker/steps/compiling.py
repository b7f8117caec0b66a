"""Compilers of a recipe, run on the host: the worker never runs programs of other people."""

import re
import shlex
from collections.abc import Sequence

from app.domain.recipe_static import Compiler
from worker.steps import recipe_step
from worker.steps.compiling_script import FAILED, NO_FOLDER, NO_PROGRAM, TEXT
from worker.steps.recipe_step import Surroundings
from worker.steps.step import Command, Failure

#: Seconds for one file, and for all that one compiler makes.
_LONGEST_FILE, _LONGEST = 300, 3_600

_FAILURES = {
    NO_FOLDER: Failure(
        "step-failed",
        "The static files are not where the recipe says",
        "Correct `static.path` of the recipe, or the command that collects the files.",
    ),
    NO_PROGRAM: Failure(
        "tool-missing",
        "The program of a compiler is not on the host",
        "Install it on the host, or write its path below the release in `static.compilers`.",
    ),
    FAILED: Failure(
        "step-failed",
        "Static files could not be compiled",
        "Correct these files, or `static.compilers` of the recipe.",
    ),
}


def compile_files(static_path: str, compilers: Sequence[Compiler], around: Surroundings) -> Command:
    """Make one file of each that fits, beside it; safe to repeat. Runs in the release.

    The programs and the names of all that is to be made are checked before one is run, and files
    come to their places when all were made.
    """
    text = recipe_step.script(
        TEXT,
        around,
        timeout=_LONGEST * len(compilers),
        silence=_LONGEST_FILE,
        failures=_FAILURES,
    )
    env = {"LL_STATIC": static_path.rstrip("/"), "LL_COMPILERS": str(len(compilers))}
    for number, compiler in enumerate(compilers, start=1):
        env |= {f"{name}_{number}": value for name, value in _variables(compiler).items()}
    return Command(
        text.script,
        env={**text.env, **env},
        paths=text.paths,
        secrets=text.secrets,
        cwd=text.cwd,
        timeout=text.timeout,
        silence=text.silence,
        failures=text.failures,
    )


def _variables(compiler: Compiler) -> dict[str, str]:
    words = shlex.split(compiler.run)
    return {
        "LL_MATCH": compiler.match,
        "LL_EXTENSION": compiler.extension,
        "LL_RUN": compiler.run,
        "LL_PROGRAM": words[0],
        "LL_COMMAND": " ".join(['"$program"', *(_word(word) for word in words[1:])]),
    }


def _word(word: str) -> str:
    """Shell text of the word: nothing in it is expanded but the two files."""
    files = {"{in}": '"$source"', "{out}": '"$made"'}
    pieces = re.split(r"(\{in\}|\{out\})", word)
    return "".join(files.get(piece) or shlex.quote(piece) for piece in pieces if piece) or "''"
