"""The example repository: its two revisions, its reproducible commits, and what it refuses."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from examples import make_repository as program
from examples.make_repository import SITE, RepositoryRefused, main, make_repository

ROOT = SITE.parent.parent


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dest = tmp_path_factory.mktemp("example") / "guestbook"
    make_repository(dest)
    return dest


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A visitor", "-c", "user.email=visitor@example.invalid")
    command = ("git", "-C", str(repository), *identity, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def files(repository: Path, revision: str, folder: str = "") -> set[str]:
    names = git(repository, "ls-tree", "-r", "--name-only", f"{revision}:{folder}")
    return set(names.splitlines())


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_tags_name_two_commits_in_a_row(tmp_path: Path) -> None:
    shas = make_repository(tmp_path / "guestbook")
    assert list(shas) == ["v1", "v2"]
    assert git(tmp_path / "guestbook", "rev-parse", "v1", "v2", "v2^", "main").splitlines() == [
        shas["v1"],
        shas["v2"],
        shas["v1"],
        shas["v2"],
    ]


def test_the_working_tree_is_complete_and_clean(repository: Path) -> None:
    assert git(repository, "status", "--porcelain") == ""
    assert (repository / "manage.py").is_file()


def test_the_commits_depend_neither_on_place_nor_on_environment(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody else")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere.git"))
    shas = make_repository(tmp_path / "a folder with spaces" / "site")
    monkeypatch.undo()
    assert shas == {tag: git(repository, "rev-parse", tag) for tag in ("v1", "v2")}


def test_the_author_is_the_project(repository: Path) -> None:
    people = git(repository, "log", "--format=%an <%ae> %cn <%ce>", "v2").splitlines()
    name = "Liftlock examples <examples@liftlock.invalid>"
    assert people == [f"{name} {name}"] * 2


def test_the_second_revision_adds_exactly_one_migration(repository: Path) -> None:
    folder = "book/migrations"
    before, after = (files(repository, tag, folder) for tag in ("v1", "v2"))
    assert after - before == {"0003_entry_mood.py"}
    assert before <= after


def test_the_second_revision_changes_static_files_in_place(repository: Path) -> None:
    changed = git(repository, "diff", "--name-status", "v1", "v2", "--", "book/static")
    assert changed.splitlines() == [
        "M\tbook/static/book/book.css",
        "M\tbook/static/book/book.js",
        "M\tbook/static/book/lock.css",
    ]


def test_the_overlay_holds_only_files_that_differ() -> None:
    overlay = [path for path in (SITE / "v2").rglob("*") if path.is_file()]
    same = [
        str(path.relative_to(SITE))
        for path in overlay
        if (original := SITE / "v1" / path.relative_to(SITE / "v2")).is_file()
        and original.read_bytes() == path.read_bytes()
    ]
    assert overlay
    assert same == []


@pytest.mark.parametrize("tag", ["v1", "v2"])
def test_no_secret_and_no_path_of_a_machine_is_committed(repository: Path, tag: str) -> None:
    suspicious = re.compile(
        r"""PRIVATE KEY
        | (?:SECRET|PASSWORD|TOKEN)\w* \s*=\s* ["'][^"'$]  # $: made by a command when it is run
        | ["'\s] / (?:home|root|tmp|Users) /
        """,
        re.VERBOSE,
    )
    found = [
        f"{name}: {match.group()}"
        for name in sorted(files(repository, tag))
        if (match := suspicious.search(git(repository, "show", f"{tag}:{name}")))
    ]
    assert found == []


def test_leftovers_of_a_local_run_are_not_committed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / SITE.name
    shutil.copytree(SITE, site)
    for leftover in ("v1/db.sqlite3", "v1/.venv/bin/python", "v2/book/__pycache__/views.pyc"):
        (site / leftover).parent.mkdir(parents=True, exist_ok=True)
        (site / leftover).write_text("left over")
    monkeypatch.setattr(program, "SITE", site)
    shas = make_repository(tmp_path / "made")
    assert shas["v2"] == git(repository, "rev-parse", "v2")


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    make_repository(tmp_path)
    assert (tmp_path / "manage.py").is_file()


def test_a_second_run_keeps_branches_and_repairs_tags(tmp_path: Path) -> None:
    dest = tmp_path / "guestbook"
    shas = make_repository(dest)
    (dest / "mine.txt").write_text("a change of my own")
    git(dest, "add", "mine.txt")
    git(dest, "commit", "--quiet", "--message", "Mine")
    mine = git(dest, "rev-parse", "HEAD")
    git(dest, "tag", "--force", "v1", mine)
    git(dest, "tag", "--delete", "v2")

    assert make_repository(dest) == shas
    assert git(dest, "rev-parse", "HEAD", "v1", "v2").splitlines() == [mine, *shas.values()]
    assert (dest / "mine.txt").is_file()


@pytest.mark.parametrize("is_repository", [False, True])
def test_a_folder_of_somebody_else_is_refused_and_untouched(
    tmp_path: Path, *, is_repository: bool
) -> None:
    dest = tmp_path / "theirs"
    dest.mkdir()
    (dest / "letter.txt").write_text("precious")
    if is_repository:
        git(dest, "init", "--quiet")
    before = names_in(dest)
    with pytest.raises(RepositoryRefused, match="theirs is not empty"):
        make_repository(dest)
    assert names_in(dest) == before
    assert names_in(tmp_path) == ["theirs"]


def test_a_folder_inside_an_example_repository_is_refused(tmp_path: Path) -> None:
    make_repository(tmp_path)
    with pytest.raises(RepositoryRefused):
        make_repository(tmp_path / "book")


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RepositoryRefused):
        make_repository(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_the_program_prints_tags_and_commits(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "site")]) == 0
    expected = [f"{tag} {git(repository, 'rev-parse', tag)}" for tag in ("v1", "v2")]
    assert capsys.readouterr().out.splitlines() == expected


def test_the_program_says_what_to_do_when_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").write_text("precious")
    assert main([str(tmp_path)]) == 2
    assert "name an empty or a new folder" in capsys.readouterr().err


def test_a_parent_that_is_a_file_ends_the_program_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file" / "site")]) == 1
    assert "The example repository was not made" in capsys.readouterr().err


def test_liftlock_itself_does_not_depend_on_django() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    names = [*project["dependencies"], *(name for extra in extras for name in extra)]
    assert not [name for name in names if name.lower().startswith(("django", "whitenoise"))]
