"""The console script `liftlock`: its global options and its nouns."""

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from app.cli import (
    admin,
    app_servers,
    assets,
    extensions,
    hosts,
    identity,
    inspect,
    instances,
    job_commands,
    jobs,
    locks,
    machines,
    programs,
    provision,
    recipes,
    routers,
    secrets,
    tokens,
)
from app.cli.errors import CliError, Exit, Interrupted
from app.cli.noun import Noun, help_of
from app.cli.output import Output, drop_unread, prepare_streams
from app.cli.session import DEFAULT_URL, Outside, Session, of

SHOW_TRACEBACK = "LIFTLOCK_TRACEBACK"
_FLAGS = frozenset({"--json"})
_VALUED = frozenset({"--url", "--token"})


class Root(TyperGroup):
    """Takes the global options in any place, and turns every CliError into an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, in_front(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            raise typer.Exit(Exit.UNREAD) from None
        except CliError as error:
            session = ctx.find_object(Session)
            output = session.output if session else Output()
            if isinstance(error, Interrupted):
                output.note(error.title)
            else:
                output.error(error)
            raise typer.Exit(error.exit_code) from error


app = Noun(
    name="liftlock",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    epilog=(
        "--url, --token and --json may stand anywhere in the line.\n\n"
        "Exit codes: 0 done, 1 failed, 2 refused or mistyped, 3 canceled or superseded, "
        "4 waited too long, 5 Liftlock does not answer."
    ),
)
job_commands.register(jobs.app)
for noun in (
    app_servers,
    assets,
    extensions,
    hosts,
    identity,
    instances,
    jobs,
    locks,
    machines,
    recipes,
    routers,
    secrets,
    tokens,
):
    app.add_typer(noun.app)
app.add_typer(admin.app)
provision.register(app)
inspect.register(app)
programs.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(_version())
        raise typer.Exit


def liftlock(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="LIFTLOCK_URL", help="Where the API answers.")
    ] = DEFAULT_URL,
    token: Annotated[
        str | None, typer.Option(envvar="LIFTLOCK_TOKEN", help="API token.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print it and end."),
    ] = False,
) -> None:
    r"""Install web applications on your own servers, and put them into service.

    First steps (docs/first-deploy.md has them all, with a router):
      liftlock up                                     start everything on this machine
      liftlock hosts add web-1 192.0.2.10 --user deploy
      liftlock hosts enroll web-1
      liftlock instances create shop --recipe django --host web-1 \
          --repository https://git.example/shop.git --revision v1
      liftlock provision shop --activate --wait
    """
    del version
    outside = ctx.obj if isinstance(ctx.obj, Outside) else Outside()
    ctx.obj = Session(url, token, Output(as_json), outside)


app.callback(help=help_of(liftlock))(liftlock)


@app.verb()
def version(ctx: typer.Context) -> None:
    """Print the version of this program.

    Example:
      liftlock version

    """
    session = of(ctx)
    number = _version()
    if session.output.json_mode:
        session.output.json({"version": number})
    else:
        session.output.raw(number)


def in_front(args: Sequence[str]) -> list[str]:
    """The global options before everything else, wherever they were typed before a `--`."""
    moved: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*moved, *rest, word, *words]
        if word in _FLAGS or (word.partition("=")[0] in _VALUED and "=" in word):
            moved.append(word)
        elif word in _VALUED:
            moved += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return moved + rest


def run() -> None:
    """Carry out the command line; every end is an exit code."""
    prepare_streams()
    try:
        try:
            app(prog_name="liftlock")
        finally:
            # Else the interpreter meets a closed pipe at its very end, and complains.
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        drop_unread()
        sys.exit(Exit.UNREAD)
    except Exception as error:
        if os.environ.get(SHOW_TRACEBACK):
            raise
        sys.stderr.write(
            f"Error: liftlock made a mistake ({type(error).__name__}: {error}).\n"
            f"  hint    Run it again with {SHOW_TRACEBACK}=1 and report what it prints.\n"
        )
        sys.exit(Exit.FAILED)


def _version() -> str:
    try:
        return metadata.version("liftlock")
    except metadata.PackageNotFoundError:
        return "0+checkout"


if __name__ == "__main__":
    run()
