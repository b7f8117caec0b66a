"""The checkout scripts, run for real against a repository."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.steps.conftest import Repository
from tests.support.local_shell import LocalShell, Ran
from worker.steps import git
from worker.steps.site import Site

pytestmark = pytest.mark.usefixtures("no_user_config")

HOSTILE = [
    "v2; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "--upload-pack=touch pwned",
    "-x",
    "a\ntouch pwned",
    "'\"",
    "refs/heads/*",
    "main:page.txt",
    "",
]


@pytest.fixture
def no_user_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def fetch(shell: LocalShell, repository: Repository, revision: str, number: int = 1) -> Ran:
    site = Site("site", number, revision)
    return shell.run(git.fetch(site, str(repository.path), ()))


def page(shell: LocalShell, repository: Repository, revision: str, number: int = 1) -> str:
    """The page of a release at the revision, as it lies on the host."""
    site = Site("site", number, revision)
    found = fetch(shell, repository, revision, number)
    assert found.exit_code == 0, found.output
    made = shell.run(git.checkout(site, str(repository.path), ()), facts=found.facts)
    assert made.exit_code == 0, made.output
    return (shell.base / site.release_dir / "page.txt").read_text()


def test_a_tag_a_branch_and_a_commit_become_the_exact_commit(
    shell: LocalShell, repository: Repository
) -> None:
    first = repository.commit("one")
    repository.git("tag", "--annotate", "v1", "--message", "first")
    second = repository.commit("two")
    commits = {
        revision: fetch(shell, repository, revision).facts["commit"]
        for revision in ("v1", first, first[:10], "main", "HEAD", "refs/heads/main")
    }
    assert commits == {
        "v1": first,
        first: first,
        first[:10]: first,
        "main": second,
        "HEAD": second,
        "refs/heads/main": second,
    }


def test_the_release_holds_the_files_of_its_commit(
    shell: LocalShell, repository: Repository
) -> None:
    repository.commit("one")
    repository.git("tag", "v1")
    repository.commit("two")
    assert page(shell, repository, "v1") == "one"
    assert page(shell, repository, "main", 2) == "two"


def test_a_branch_that_moved_is_found_where_it_is_now(
    shell: LocalShell, repository: Repository
) -> None:
    repository.commit("one")
    assert page(shell, repository, "main") == "one"
    repository.git("commit", "--quiet", "--amend", "--message", "rewritten")
    repository.commit("two")
    assert page(shell, repository, "main", 2) == "two"


def test_a_commit_that_no_branch_leads_to_is_found_by_its_name(
    shell: LocalShell, repository: Repository
) -> None:
    repository.commit("one")
    repository.git("checkout", "--quiet", "--detach")
    aside = repository.commit("aside")
    repository.git("update-ref", "refs/pull/7/head", aside)
    repository.git("checkout", "--quiet", "main")
    assert fetch(shell, repository, "refs/pull/7/head").facts["commit"] == aside
    assert page(shell, repository, aside) == "aside"


def test_a_checkout_that_was_cut_off_is_made_again(
    shell: LocalShell, repository: Repository
) -> None:
    repository.commit("one")
    half = shell.base / Site("site", 1, "main").release_dir
    half.mkdir(parents=True)
    (half / "left-over").touch()
    assert page(shell, repository, "main") == "one"
    assert not (half / "left-over").exists()


def test_a_lock_that_a_dead_worker_left_does_not_stop_the_fetch(
    shell: LocalShell, repository: Repository
) -> None:
    repository.commit("one")
    fetch(shell, repository, "main")
    (shell.base / "apps/site/repo.git/packed-refs.lock").touch()
    (shell.base / "apps/site/repo.git/refs/heads/main.lock").touch()
    repository.commit("two")
    assert page(shell, repository, "main") == "two"


def test_submodules_are_part_of_the_release(
    shell: LocalShell, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # git allows a submodule on the same disk only when it is told to.
    (tmp_path / "config").write_text('[protocol "file"]\nallow = always\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    part = Repository(tmp_path / "part")
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(part.path)], check=True)
    part.commit("a part")
    repository.commit("one")
    repository.git("submodule", "--quiet", "add", str(part.path), "part")
    repository.git("commit", "--quiet", "--message", "with a part")
    shell = LocalShell(shell.base, {"GIT_CONFIG_GLOBAL": str(tmp_path / "config")})
    page(shell, repository, "main")
    release = shell.base / Site("site", 1, "main").release_dir
    assert (release / "part" / "page.txt").read_text() == "a part"


def test_a_revision_that_does_not_exist_lists_what_there_is(
    shell: LocalShell, repository: Repository
) -> None:
    repository.commit("one")
    repository.git("tag", "v1")
    found = fetch(shell, repository, "v9")
    command = git.fetch(Site("site", 1, "v9"), str(repository.path), ())
    assert command.failures[found.exit_code].code == "revision-not-found"
    assert "no revision 'v9'" in found.output
    assert "  v1 " in found.output


@pytest.mark.parametrize("revision", HOSTILE)
def test_a_hostile_revision_is_only_a_name_that_does_not_exist(
    shell: LocalShell, repository: Repository, revision: str
) -> None:
    repository.commit("one")
    assert fetch(shell, repository, revision).exit_code == 42
    assert not list(shell.base.rglob("pwned"))


@pytest.mark.parametrize(
    "url",
    [
        "/nowhere/at/all",
        "https://127.0.0.1:1/x.git",
        "ssh://git@127.0.0.1:1/x",
        "ext::sh -c touch% pwned",
        "--upload-pack=touch pwned",
    ],
)
def test_a_repository_that_does_not_answer_is_unreachable(shell: LocalShell, url: str) -> None:
    command = git.fetch(Site("site", 1, "v1"), url, ())
    ran = shell.run(command)
    assert command.failures[ran.exit_code].code == "repository-unreachable"
    assert not list(shell.base.rglob("pwned"))


def test_a_repository_that_refuses_is_an_authentication_failure(shell: LocalShell) -> None:
    programs = shell.base / "programs"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text("#!/bin/sh\necho 'git@host: Permission denied (publickey).' >&2\nexit 255\n")
    ssh.chmod(0o755)
    guarded = LocalShell(shell.base, {"PATH": f"{programs}:{os.environ['PATH']}"})
    command = git.fetch(Site("site", 1, "v1"), "git@host.example:x.git", ())
    ran = guarded.run(command)
    assert command.failures[ran.exit_code].code == "repository-auth-failed"


def test_a_deploy_key_reaches_ssh_through_an_agent_and_never_the_disk(
    shell: LocalShell, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "deploy", "-f", str(key)]
    subprocess.run(generate, check=True)
    programs = shell.base / "programs"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text('#!/bin/sh\necho "options: $*" >&2\nssh-add -L >&2\nenv >&2\nexit 255\n')
    ssh.chmod(0o755)
    guarded = LocalShell(shell.base, {"PATH": f"{programs}:{os.environ['PATH']}"})
    command = git.fetch(Site("site", 1, "v1"), "git@host.example:x.git", ("DEPLOY_KEY", "OTHER"))
    assert command.secrets == ("DEPLOY_KEY",)
    secret = key.read_text()
    ran = guarded.run(command, secrets={"DEPLOY_KEY": secret})
    assert key.with_suffix(".pub").read_text().strip() in ran.output
    assert f'UserKnownHostsFile="{shell.base}/apps/site/shared/known_hosts"' in ran.output
    middle = secret.splitlines()[2]
    assert middle not in ran.output
    files = (path for path in shell.base.rglob("*") if path.is_file())
    assert not [path for path in files if middle in path.read_text(errors="replace")]


def test_a_deploy_key_that_is_none_is_an_authentication_failure(
    shell: LocalShell, repository: Repository
) -> None:
    command = git.fetch(Site("site", 1, "v1"), str(repository.path), ("DEPLOY_KEY",))
    ran = shell.run(command, secrets={"DEPLOY_KEY": "not a key"})
    assert command.failures[ran.exit_code].code == "repository-auth-failed"
    assert "not an OpenSSH private key" in ran.output


def test_a_host_without_git_is_told_so(shell: LocalShell, repository: Repository) -> None:
    empty = LocalShell(shell.base, {"PATH": str(shell.base)})
    command = git.fetch(Site("site", 1, "v1"), str(repository.path), ())
    ran = empty.run(command)
    assert command.failures[ran.exit_code].code == "tool-missing"


@pytest.mark.parametrize(
    "revision",
    [
        "^v1",
        "v1..v2",
        "v1...v2",
        "v1^!",
        "v1^@",
        "^{commit}",
        "refs/heads/a..b",
        "refs/heads/^v1",
        "^" + "0" * 40,
        f"{'0' * 40}..{'1' * 40}",
        "0" * 40,
    ],
)
def test_what_names_no_single_commit_is_a_revision_not_found(
    shell: LocalShell, repository: Repository, revision: str
) -> None:
    for text in ("v1", "v2"):
        repository.commit(text)
        repository.git("tag", text)
    found = fetch(shell, repository, revision)
    assert (found.exit_code, found.facts) == (42, {}), found.output
