"""A plan reads as JSON, and shows no secret."""

import json

from app.domain.job import JobKind
from worker.plans import enroll
from worker.plans.plan import Plan
from worker.steps.step import Command, Failure, Note, PortFree, Probe, Step

FAILURE = Failure("check-failed", "No answer", "look")
ALIVE = Command("alive")
PLAN = Plan(
    JobKind.PROVISION,
    (
        Step(
            "build",
            "Build it",
            Command("make", env={"B": "2", "A": "1"}, paths={"D": "apps/x"}, secrets=("KEY",)),
            undo=Command("unmake"),
        ),
        Step("free", "Free", PortFree(20000, FAILURE)),
        Step("check", "Check", Probe(20000, "/", (200,), 3, 0.5, 10, None, ALIVE, FAILURE)),
        Step("note", "Note", Note("app-server.status", {"status": "running"})),
    ),
    on_failure=(Step("log", "Show the log", Command("tail")),),
)


def test_every_step_is_described_with_its_number_and_action() -> None:
    rows = PLAN.describe()
    assert [(row["number"], row["name"], row["action"], row["when"]) for row in rows] == [
        (1, "build", "command", "always"),
        (2, "free", "port-free", "always"),
        (3, "check", "probe", "always"),
        (4, "note", "note", "always"),
        (5, "log", "command", "on_failure"),
    ]


def test_a_command_shows_its_values_and_the_names_of_its_secrets() -> None:
    row = PLAN.describe()[0]
    assert (row["script"], row["env"]) == ("make", {"A": "1", "B": "2", "KEY": "[secret]"})
    assert row["paths"] == {"D": "apps/x"}
    undo = row["undo"]
    assert isinstance(undo, dict)
    assert undo["script"] == "unmake"


def test_a_probe_shows_what_is_asked_and_wanted() -> None:
    row = PLAN.describe()[2]
    assert (row["path"], row["status"], row["tries"]) == ("/", [200], 3)
    alive = row["alive"]
    assert isinstance(alive, dict)
    assert alive["script"] == "alive"


def test_a_description_is_json() -> None:
    assert json.loads(json.dumps(PLAN.describe())) == PLAN.describe()


def test_enrolling_reads_the_key_and_records_it() -> None:
    plan = enroll.plan()
    assert [row["action"] for row in plan.describe()] == ["read-host-key", "note"]
    assert plan.steps[1].action == Note("host.key")
