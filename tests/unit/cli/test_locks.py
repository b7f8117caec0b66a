"""`liftlock locks`: who holds what, and breaking it only after looking."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.cli.fake import JOB, page, problem

OTHER = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12"
SHOP = "/v1/locks/instance%3Ashop"
ALL = "/v1/locks/manual%3Aall"
BREAK = ("locks", "break", "instance:shop", "--reason", "its host burnt")


def ago(**span):
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def lock(**holder):
    return {
        "name": "instance:shop",
        "token": 7,
        "message": None,
        "actor": "ci",
        "since": ago(minutes=3, seconds=20),
        "holder": {
            "job": JOB,
            "kind": "provision",
            "actor": "ci",
            "why": "provision of shop to v2",
            "status": "running",
            "attempt": 2,
            "worker": "web-3:4711",
            "since": ago(minutes=3, seconds=20),
            "heard_at": ago(seconds=20),
            "lease_until": ago(seconds=-13),
            "alive": True,
            "step": "Install the requirements",
            "step_since": ago(minutes=2),
            "last_line": "Collecting django",
            **holder,
        },
        "waiting": [
            {
                "job": OTHER,
                "kind": "provision",
                "actor": "ann",
                "since": ago(hours=1),
                "position": 1,
            }
        ],
        "safe_to_break": False,
        "advice": f"Its worker is busy. Follow it: liftlock jobs logs -f {JOB}",
    }


def manual(**fields):
    return {
        "name": "manual:all",
        "token": 3,
        "message": "No deploys today: inventory, and then some more.",
        "actor": "ann",
        "since": ago(days=1, hours=2),
        "holder": None,
        "waiting": [],
        "safe_to_break": True,
        "advice": "Ask ann.",
        **fields,
    }


BROKEN = {"name": "instance:shop", "token": 7, "job": JOB, "was_alive": True, "advice": "Look."}


@pytest.fixture
def held(api):
    """A job has the lock of shop, and ann has placed one on everything."""
    api.on("GET", "/v1/locks", page(lock(), manual()))
    api.on("GET", SHOP, lock())
    api.on("GET", ALL, manual())
    api.on("DELETE", SHOP, BROKEN)
    api.on("DELETE", ALL, {**BROKEN, "name": "manual:all", "token": 3, "job": None})
    return api


def deleted(api):
    """Tags and queries of what was to be broken."""
    return [
        (request.headers["If-Match"], dict(request.url.params))
        for request in api.requests
        if request.method == "DELETE"
    ]


def test_the_list_fits_80_columns_and_tells_who_what_and_for_how_long(cli, held):
    told = cli("locks", "list").stdout.splitlines()
    assert told[0].split() == ["NAME", "WHO", "WHAT", "FOR", "ALIVE", "WAITING"]
    assert told[1].split("  ")[0] == "instance:shop"
    for part in ("ci", "provision of shop to v2", "3 min", "yes", "1"):
        assert part in told[1]
    assert "No deploys today: inventory, …" in told[2]
    assert "1 d" in told[2]
    assert max(map(len, told)) <= 80


def test_programs_get_the_locks_as_they_are(cli, api):
    given = [lock(), manual()]
    api.on("GET", "/v1/locks", page(*given))
    assert json.loads(cli("locks", "list", "--json").stdout) == given


def test_no_locks_are_said_to_be_none(cli, api):
    api.on("GET", "/v1/locks", page())
    assert cli("locks", "list").stderr == "Nobody holds a lock.\n"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("who", "ci"),
        ("what", "provision of shop to v2"),
        ("since", "(3 min 2"),
        ("job", f"{JOB} (running)"),
        ("worker", "web-3:4711, attempt 2"),
        ("step", "Install the requirements, for 2 min"),
        ("last line", "Collecting django"),
        ("alive", "yes, heard 2"),
        ("waiting", "1"),
        ("safe to break", "no"),
        ("token", "7"),
        ("what next", f"liftlock jobs logs -f {JOB}"),
    ],
)
def test_a_lock_answers_a_persons_questions(cli, held, question, answer):
    lines = cli("locks", "show", "instance:shop").stdout.splitlines()
    [line] = [line for line in lines if line.startswith(f"{question}  ")]
    assert answer in line


def test_who_waits_is_shown_in_line(cli, held):
    assert (
        f"1. job {OTHER} (provision by ann, for 1 h)"
        in cli("locks", "show", "instance:shop").stdout
    )


def test_a_job_between_two_workers_is_said_to_have_none(cli, api):
    api.on("GET", SHOP, lock(worker=None, heard_at=None, alive=False, step=None))
    told = cli("locks", "show", "instance:shop").stdout
    assert "no worker has it" in told
    assert "none yet" in told


def test_a_lock_of_a_person_shows_the_message_and_no_job(cli, held):
    told = cli("locks", "show", "manual:all").stdout
    assert "No deploys today: inventory, and then some more." in told
    assert "worker" not in told


def test_what_a_host_said_cannot_steer_the_terminal(cli, api):
    api.on("GET", SHOP, lock(last_line="\x1b[2Jgone\r\x07"))
    assert "\x1b" not in cli("locks", "show", "instance:shop").stdout


def test_a_lock_that_nobody_holds_is_exit_2(cli, api):
    result = cli("locks", "show", "instance:shop")
    assert (result.exit_code, "not-found" in result.stderr) == (2, True)


def test_a_lock_is_placed_and_the_command_that_lifts_it_shown(cli, api):
    api.on("POST", "/v1/locks", (201, manual()))
    result = cli("locks", "place", "all", "--message", "No deploys today.")
    assert api.sent("POST", "/v1/locks") == [{"on": "all", "message": "No deploys today."}]
    assert "liftlock locks break manual:all --lock-token 3" in result.stdout
    assert json.loads(cli("locks", "place", "all", "--message", "x", "--json").stdout)["token"] == 3


def test_a_lock_is_not_placed_without_a_message(cli, api):
    assert cli("locks", "place", "all").exit_code == 2
    assert api.requests == []


def test_a_person_sees_the_holder_and_is_asked_before_it_is_broken(cli, held):
    cli.interactive = True
    result = cli(*BREAK, "--force", given="y\n")
    assert result.exit_code == 0
    told = result.output
    assert told.index("Collecting django") < told.index("ALIVE") < told.index("Broke instance:shop")
    assert deleted(held) == [('"7"', {"reason": "its host burnt", "force": "true"})]


def test_who_says_no_breaks_nothing(cli, held):
    cli.interactive = True
    result = cli(*BREAK, "--force", given="n\n")
    assert (result.exit_code, deleted(held)) == (2, [])
    assert "Nothing was broken." in result.stdout


def test_without_a_terminal_it_says_the_whole_command_to_type(cli, api):
    api.on("GET", SHOP, lock(alive=False))
    result = cli(*BREAK)
    assert (result.exit_code, deleted(api)) == (2, [])
    again = "locks break instance:shop --lock-token 7 --reason 'its host burnt' --yes"
    assert again in result.stderr
    assert "Collecting django" in result.stdout


@pytest.mark.parametrize("interactive", [True, False])
def test_a_living_holder_is_refused_before_anybody_is_asked(cli, held, interactive):
    cli.interactive = interactive
    result = cli(*BREAK, given="y\n")
    assert (result.exit_code, deleted(held)) == (2, [])
    assert "nothing undone?" not in result.output
    assert "Collecting django" in result.stdout
    alive = f"Worker web-3:4711 is busy with job {JOB} (provision of shop to v2), heard 2"
    assert alive in result.stderr
    assert lock()["advice"] in result.stderr
    again = "locks break instance:shop --lock-token 7 --reason 'its host burnt' --force --yes"
    assert again in result.stderr


def test_what_is_forced_without_a_terminal_stays_forced(cli, held):
    result = cli(*BREAK, "--force")
    assert (result.exit_code, deleted(held)) == (2, [])
    assert "--reason 'its host burnt' --force --yes" in result.stderr


def test_without_being_asked_it_needs_the_token_that_was_seen(cli, held):
    assert cli(*BREAK, "--yes").exit_code == 2
    assert deleted(held) == []
    result = cli(*BREAK, "--yes", "--lock-token", "7")
    assert result.exit_code == 0
    assert deleted(held) == [('"7"', {"reason": "its host burnt", "force": "false"})]
    assert f"Broke instance:shop: job {JOB} is failed." in result.stdout
    assert "next     Look." in result.stdout


def test_another_holder_than_the_one_that_was_seen_is_not_broken(cli, held):
    result = cli(*BREAK, "--yes", "--lock-token", "6")
    assert (result.exit_code, deleted(held)) == (2, [])
    assert "is 7 now, not 6" in result.stderr


def test_a_living_holder_is_refused_with_the_way_to_go_on(cli, held):
    refusal = problem(409, code="holder-alive", title="Its holder is alive", hint="Cancel it.")
    held.on("DELETE", SHOP, refusal)
    result = cli(*BREAK, "--yes", "--lock-token", "7")
    assert result.exit_code == 2
    assert "holder-alive" in result.stderr
    assert "Cancel it." in result.stderr


def test_a_lock_of_a_person_is_lifted(cli, held):
    cli.interactive = True
    result = cli("locks", "break", "manual:all", "--reason", "done", given="y\n")
    assert "Lifted manual:all." in result.stdout
    assert deleted(held)[0][0] == '"3"'


def test_programs_get_what_was_done(cli, held):
    result = cli(*BREAK, "--yes", "--lock-token", "7", "--json")
    assert json.loads(result.stdout) == BROKEN


def test_a_lock_is_not_broken_without_a_reason(cli, held):
    assert cli("locks", "break", "instance:shop", "--yes", "--lock-token", "7").exit_code == 2
    assert deleted(held) == []
