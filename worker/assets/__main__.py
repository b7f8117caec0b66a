"""`python -m worker.assets`: asset releases from the command line, without a server or a job."""

import gc
import os
import sys
from collections.abc import Sequence

#: The answer went into a closed pipe; Typer has the same.
_UNHEARD = 1


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code, or raises SystemExit with it."""
    try:
        return _heard(arguments)
    except BrokenPipeError:
        # Python writes out once more what is left when it ends: that has to go nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)
        return _UNHEARD


def _heard(arguments: Sequence[str]) -> int:
    """What is answered is written out before it ends."""
    try:
        return _run(arguments)
    finally:
        if sys.stdout:
            sys.stdout.flush()


def _run(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["build"]:
        # Without Typer, which takes longer to load than a small build takes.
        from worker.assets.cli import build_command  # noqa: PLC0415  (of two only one is needed)

        return build_command.run(arguments[1:])
    from worker.assets.cli import commands  # noqa: PLC0415  (as above)

    return commands.run(arguments)


if __name__ == "__main__":
    if sys.argv[1:2] != ["build"]:
        sys.exit(main(sys.argv[1:]))
    # A short life, and no rings of objects: to look for some, and to take the interpreter apart
    # when all is written, is a tenth of a small build.
    gc.disable()
    os._exit(main(sys.argv[1:]))
