"""`python -m worker.assets`: asset releases from the command line, without a server or a job."""

import sys
from collections.abc import Sequence

from worker.assets.cli import build_command


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code, or raises SystemExit with it."""
    if arguments[:1] == ["build"]:
        # Without Typer, which takes longer to load than a small build takes.
        return build_command.run(arguments[1:])
    from worker.assets.cli.commands import app  # noqa: PLC0415  (as above)

    app(list(arguments), prog_name="python -m worker.assets")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
