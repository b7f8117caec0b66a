"""A plan reads as JSON, and shows no secret."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from app.domain.asset_release import AssetPlace
from app.domain.job import JobKind
from app.domain.recipe_static import Static
from worker.plans import enroll
from worker.plans.plan import Plan
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.step import (
    Command,
    Failure,
    Note,
    OnCancel,
    PortFree,
    Probe,
    Step,
    Upload,
    Wait,
    Watch,
)

FAILURE = Failure("check-failed", "No answer", "look")
ALIVE = Command("alive")
PLACE = AssetPlace("s3://assets/shop", "https://static.example/shop/")
SERVER = UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11")
STATIC = Static(path="public", publish=True, lenient=True)
PLAN = Plan(
    JobKind.PROVISION,
    (
        Step(
            "build",
            "Build it",
            Command("make", env={"B": "2", "A": "1"}, paths={"D": "apps/x"}, secrets=("KEY",)),
            undo=Command("unmake"),
            on_cancel=OnCancel.FINISH,
            on_unknown=Command("made?"),
        ),
        Step("free", "Free", PortFree(20000, FAILURE)),
        Step("check", "Check", Probe(20000, "/", (200,), 3, 0.5, 10, None, ALIVE, FAILURE)),
        Step("note", "Note", Note("app-server.status", {"status": "running"})),
        Step("send", "Send", Upload(Path("out"), "apps/x/static")),
        Step("wait", "Wait", Wait(None, Command("there?"), 30, 600, FAILURE)),
        Step("release", "Release", ReleaseAssets("a/r/public", "a/r", STATIC, PLACE, 3, SERVER)),
        Step(
            "manifest", "Put", PlaceManifest(PLACE, 3, SERVER, "a/r/public/staticfiles.json", "a/r")
        ),
        Step("verify", "Verify", VerifyAssets(PLACE, 3, SERVER)),
        Step(
            "watch",
            "Watch",
            Watch(
                (Probe(443, "/", (200,), 1, 1, 9, None, None, FAILURE, "::1", "shop", tls=True),),
                60,
            ),
            undo=Note("app-servers.activated", {"on": ["a"]}),
            at="edge",
            undo_first=True,
        ),
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
        (5, "send", "upload", "always"),
        (6, "wait", "wait", "always"),
        (7, "release", "release-assets", "always"),
        (8, "manifest", "place-manifest", "always"),
        (9, "verify", "verify-assets", "always"),
        (10, "watch", "watch", "always"),
        (11, "log", "command", "on_failure"),
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


def test_a_step_says_how_it_stops_and_what_is_done_when_its_end_is_unknown() -> None:
    build, free = PLAN.describe()[:2]
    assert (build["on_cancel"], free["on_cancel"]) == ("finish", "interrupt")
    assert build["on_unknown"]["probe"]["script"] == "made?"
    assert free["on_unknown"] == "repeat"


def test_a_wait_shows_what_is_asked_how_often_and_how_long() -> None:
    row = PLAN.describe()[5]
    assert (row["until"], row["every"], row["longest"]) == (None, 30, 600)
    assert row["probe"]["script"] == "there?"


def test_a_release_shows_from_where_to_where_and_how() -> None:
    release, manifest, verify = PLAN.describe()[6:9]
    assert (release["tree"], release["store"]) == ("a/r/public", "s3://assets/shop")
    assert (release["lenient"], release["compress"]) == (True, ["gzip", "br"])
    assert manifest["to"] == "a/r/public/staticfiles.json"
    assert verify["base_url"] == "https://static.example/shop/"


def test_a_watch_shows_what_is_asked_of_which_name_and_for_how_long() -> None:
    row = PLAN.describe()[9]
    assert (row["seconds"], row["every"], row["most_wrong"]) == (60, 2, 2)
    (asked,) = row["probes"]
    assert (asked["address"], asked["server_name"], asked["tls"]) == ("::1", "shop", True)
    assert "tries" not in asked


def test_a_step_says_where_it_is_done_and_what_goes_back_first() -> None:
    build, watch = PLAN.describe()[0], PLAN.describe()[9]
    assert [(row["at"], row["undo_first"]) for row in (build, watch)] == [
        ("", False),
        ("edge", True),
    ]


def test_a_step_says_which_facts_make_it_needless() -> None:
    needless = replace(PLAN.steps[0], unless=("installed_1",))
    plan = Plan(JobKind.INSTALL, (PLAN.steps[0], needless))
    assert [row["unless"] for row in plan.describe()] == [[], ["installed_1"]]


def test_a_note_may_be_the_undo_of_a_step() -> None:
    assert PLAN.describe()[9]["undo"] == {
        "action": "note",
        "what": "app-servers.activated",
        "data": {"on": ["a"]},
    }


def test_a_description_is_json() -> None:
    assert json.loads(json.dumps(PLAN.describe())) == PLAN.describe()


def test_enrolling_reads_the_key_and_records_it() -> None:
    plan = enroll.plan()
    assert [row["action"] for row in plan.describe()] == ["read-host-key", "note"]
    assert plan.steps[1].action == Note("host.key")
