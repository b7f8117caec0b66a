"""All commands of `python -m worker.assets`, for its list of them."""

from collections.abc import Sequence
from typing import Any, cast

import typer

from worker.assets.cli import build_command, store_commands, telling

_NAME = "python -m worker.assets"

app = typer.Typer(
    name=_NAME,
    help="Asset releases: build, publish, verify and remove hashed static files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 refused, 2 wrong command line, 130 interrupted.",
)


@app.command(
    "build",
    help=build_command.SUMMARY,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def build(context: typer.Context) -> None:
    raise typer.Exit(build_command.run(context.args))


store_commands.register(app)


def run(arguments: Sequence[str]) -> int:
    """Returns the exit code, or raises SystemExit with it.

    A program that asked for JSON gets it for a wrong command line too.
    """
    as_json = "--json" in arguments
    try:
        code: int = app(list(arguments), prog_name=_NAME, standalone_mode=not as_json) or 0
    except typer.TyperException as error:
        telling.refuse_usage(cast("Any", error).format_message())
    if code == telling.INTERRUPTED:
        telling.interrupted(as_json=as_json)
    return code
