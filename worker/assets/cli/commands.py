"""All commands of `python -m worker.assets`, for its list of them."""

import typer

from worker.assets.cli import build_command, store_commands

app = typer.Typer(
    name="python -m worker.assets",
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
