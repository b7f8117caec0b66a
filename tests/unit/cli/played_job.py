"""A job and what it tells, as the tests of `liftlock jobs` play it."""

from tests.unit.cli.fake import JOB, events, job, page

STEP = {"number": 1, "step": "check-host", "title": "Check the host"}
OUTPUT = ("step.output", {**STEP, "text": "disk ok\n"})
DONE = ("step.succeeded", {**STEP, "duration_ms": 420, "exit_code": 0})
HAPPY = events(
    ("job.queued", {"kind": "provision", "instance": "shop"}),
    ("job.started", {"worker": "w1", "attempt": 1}),
    ("step.started", STEP),
    OUTPUT,
    DONE,
    "job.succeeded",
)


def serve_events(api, found, size=200):
    """The events of the job, in pages of `size`, as the API would give them."""

    def answer(request):
        after = int(request.url.params["after"])
        return 200, page(*[event for event in found if event["seq"] > after][:size])

    api.on("GET", f"/v1/jobs/{JOB}/events", answer)


def end(api, status, **fields):
    api.on("GET", f"/v1/jobs/{JOB}", job(status, **fields))
    serve_events(api, [*HAPPY[:-1], *events((f"job.{status}", fields), first=6)])


def interrupted():
    """An answer that is Ctrl-C."""

    def interrupt(_):
        raise KeyboardInterrupt

    return interrupt
