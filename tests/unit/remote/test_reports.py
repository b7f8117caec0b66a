"""What the runner reports when it cannot work, as errors for people."""

import pytest

from worker.remote.conversation import failed, refuse
from worker.remote.errors import HostBusy, StaleToken
from worker.remote.host import Address
from worker.remote.runner import Answer

ADDRESS = Address("web1", "h.example", 22, "deploy", None, "liftlock", sudo=False, jump=None)
REPORT = """\
base=/srv/liftlock
path=/srv/liftlock/steps
at=/srv
user=deploy
found=drwxr-xr-x 3 root root 4096 Jan  1 00:00 /srv
free_kb={free}
said=mkdir: cannot create directory '/srv/liftlock': {said}
"""


def test_a_folder_of_somebody_else_comes_with_the_command_to_type():
    error = failed(ADDRESS, REPORT.format(free=999999, said="Permission denied").encode())
    assert "/srv/liftlock/steps on host web1 (deploy@h.example:22) as deploy" in error.detail
    assert "drwxr-xr-x 3 root root" in error.detail
    assert "sudo mkdir -p /srv/liftlock && sudo chown -R deploy /srv/liftlock" in error.hint


def test_a_full_disk_is_told_from_a_forbidden_one():
    error = failed(ADDRESS, REPORT.format(free=0, said="No space left on device").encode())
    assert "The disk is full" in error.hint
    assert "df -h /srv" in error.hint


def test_a_report_that_was_cut_off_still_makes_an_error():
    error = failed(ADDRESS, b"base=/srv/liftlock\npath=/sr")
    assert error.code == "runner-failed"
    assert "? kB free" in error.detail


def test_a_missing_program_comes_with_its_package():
    error = failed(ADDRESS, b"missing=flock\npackage=util-linux\n")
    assert "needs the program flock on host web1" in error.detail
    assert error.hint == "Install it on h.example: sudo apt-get install util-linux"


def test_a_damaged_fence_tells_the_file_and_what_it_holds():
    error = failed(ADDRESS, b"token=/srv/liftlock/locks/a.token\nholds=8x=1\n")
    assert error.detail == (
        "The file /srv/liftlock/locks/a.token on host web1 (deploy@h.example:22) holds no token: "
        "8x=1."
    )
    assert error.hint == (
        "When no job works on h.example, remove it there; the next one writes it anew: "
        "sudo rm /srv/liftlock/locks/a.token"
    )


def test_a_stale_token_tells_both():
    with pytest.raises(StaleToken, match="refuses token 6 of lock instance:1: it has seen 7"):
        refuse(ADDRESS, Answer("STALE", "instance%3A1 6 7"))


@pytest.mark.parametrize(
    ("note", "shown"), [(" upgrade by ada", "upgrade by ada"), ("", "no note")]
)
def test_a_busy_host_tells_who_is_there(note, shown):
    with pytest.raises(HostBusy, match=f"that job j-1 started .* for 12 s now: {shown}") as caught:
        refuse(ADDRESS, Answer("BUSY", f"instance%3A1 12 j-1{note}"))
    assert caught.value.hint.endswith("fuser -v liftlock/locks/instance%3A1.lock")
