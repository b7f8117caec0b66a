"""The live line of a running job, as a terminal would show it."""

import io

from rich.console import Console

from app.cli.output import Output
from app.cli.progress import Progress
from app.cli.text import moment
from app.cli.wording import blockers
from tests.unit.cli.fake import events

STEP = {"number": 3, "step": "install", "title": "Install the requirements"}


def terminal(width=60):
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        color_system=None,
        markup=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )


def watch(console, *kinds, took=12.0):
    """What the bottom of the terminal shows after these events."""
    now = [0.0]
    progress = Progress(Output(out=console), now=lambda: now[0], total=lambda: 14)
    for event in events(*kinds):
        progress.add(event)
    now[0] = took
    drawn = Console(file=io.StringIO(), width=console.width, color_system=None)
    drawn.print(progress._drawn())
    return drawn.file.getvalue()


def test_the_live_line_shows_step_of_how_many_title_time_and_last_output():
    output = ("step.output", {"text": "Collecting a\n\x1b[32mCollecting b\x1b[0m\n"})
    shown = watch(terminal(), ("step.started", STEP), output)
    assert "step [3/14] Install the requirements  12 s" in shown
    assert "Collecting b" in shown
    assert "\x1b" not in shown


def test_the_live_line_never_takes_more_than_two_lines():
    long = ("step.output", {"text": "x" * 5_000})
    step = {**STEP, "title": "t" * 500}
    assert len(watch(terminal(), ("step.started", step), long).splitlines()) <= 2


def test_a_blocked_job_names_what_it_waits_for():
    blocked = ("job.blocked", {"blocked_by": [{"kind": "order", "job": "0198"}]})
    assert "Waiting for job 0198, which was asked for earlier" in watch(terminal(), blocked)


def test_finished_steps_stay_above_the_live_line():
    console = terminal()
    now = [0.0]
    with Progress(Output(out=console), now=lambda: now[0], total=lambda: 14) as progress:
        for event in events(
            ("step.started", STEP),
            ("step.succeeded", {**STEP, "duration_ms": 2_500}),
            ("step.started", {**STEP, "number": 4, "title": "Start"}),
            ("step.output", {"text": "cannot bind\n"}),
            ("step.failed", {**STEP, "duration_ms": 100}),
        ):
            progress.add(event)
    text = console.file.getvalue()
    assert "✓ [3/14] Install the requirements  2.5 s" in text
    assert "✗ [4/14] Start  0.1 s" in text
    assert "| cannot bind" in text


def test_a_lock_is_told_with_its_holder():
    holder = {
        "kind": "lock",
        "job": "0198",
        "job_kind": "provision",
        "actor": "ci",
        "since": "2026-11-21T07:00:00Z",
    }
    since = moment(holder["since"])
    assert blockers([holder]) == f"job 0198 (provision by ci, since {since})"
    told = {**holder, "why": "provision of shop to v2"}
    assert blockers([told]) == f"job 0198 (provision of shop to v2 by ci, since {since})"


def test_a_bound_on_all_jobs_is_told():
    assert "(4 at a time)" in blockers([{"kind": "limit", "most_running": 4}])


def test_steps_after_a_failure_are_not_counted_beyond_the_plan():
    assert "[after the failure]" in watch(terminal(), ("step.started", {**STEP, "number": 15}))
