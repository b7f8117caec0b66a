"""How a job ends, by its kind: told from rows and from the outcome of its plan, without a host."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.job import JobKind, JobStatus, Outcome, ServiceState
from app.domain.recipe import parse
from app.domain.redaction import Redactor
from app.domain.router import CannotRoute
from app.models import AppServer, Host, Instance, Job, Router
from app.models.base import new_id
from app.services.work import Routed, Standing, Work
from worker import engine
from worker.jobs.serving import service_state
from worker.jobs.verdict import end_of, end_of_bug
from worker.remote.errors import HostUnreachable
from worker.remote.host import HttpAnswer

RECIPE = parse("name: a\nstart: {run: x}\ncheck: {path: /up}\n")
HOST = Host(name="web1", address="127.0.0.1", port=22, username="deploy")
FAILED = engine.StepFailed("step-failed", "It failed", "web1: exit code 1.", "Look.", "step")
SILENT = replace(FAILED, code="host-unreachable")
ROUTER = Routed(
    Router(name="edge", kind="caddy", host_id=HOST.id, options={"http_port": 8080}), HOST, ()
)


def standing(number, **values):
    row = AppServer(
        instance_id=new_id(),
        host_id=HOST.id,
        job_id=new_id(),
        recipe_id=new_id(),
        number=number,
        name=f"AppServer {number}",
        revision="v1",
        release="",
        port=20000 + number,
        **values,
    )
    return Standing(row, HOST, (), RECIPE)


OLD, NEW = standing(1), standing(2)


def work(kind, *, targets=(NEW,), before=(OLD,), routed=ROUTER):
    instance = Instance(
        name="shop", recipe_id=new_id(), repository="", revision="v1", domain="shop.example"
    )
    job = Job(kind=kind, instance_id=instance.id, host_id=HOST.id)
    return Work(job, HOST, (), instance, RECIPE, targets=targets, before=before, routed=routed)


def ended(kind, outcome, **values):
    return end_of(work(kind, **values), outcome, None, Redactor([]))


def done(**facts):
    return engine.Outcome(facts)


class Asked:
    """A host that answers every question in the same way."""

    def __init__(self, status):
        self.status, self.questions = status, []

    async def http_get(self, port, path, **values):
        del values["timeout"]
        self.questions.append((port, path, values))
        if self.status is None:
            raise HostUnreachable("web1: no answer", hint="Look.")
        return HttpAnswer(self.status, "")


async def state(outcome, *, status=200, kind=JobKind.ACTIVATE, **values):
    return await service_state(work(kind, **values), lambda _: Asked(status), outcome)


def test_a_host_that_is_silent_leaves_a_termination_unconfirmed():
    end = ended(JobKind.TERMINATE, engine.Outcome({}, SILENT))
    assert (end["status"], end["error"]["code"]) == (JobStatus.FAILED, "unconfirmed-gone")
    assert end["error"]["cause"] == "host-unreachable"
    assert "AppServer 2 could not be confirmed gone (host-unreachable)" in end["error"]["detail"]
    again = f"liftlock app-servers terminate {NEW.app_server.id}"
    assert f"Then repeat: {again}." in end["error"]["hint"]
    assert end["error"]["hint"].endswith(f"If it never comes back: {again} --gone --reason TEXT")


@pytest.mark.parametrize(
    ("kind", "error"), [(JobKind.TERMINATE, FAILED), (JobKind.ACTIVATE, SILENT)]
)
def test_every_other_failure_keeps_its_code(kind, error):
    assert ended(kind, engine.Outcome({}, error))["error"]["code"] == error.code


def test_the_command_that_repeats_a_job_names_it():
    error = replace(FAILED, hint="Open the port. Then repeat the job: liftlock jobs retry ID")
    made = work(JobKind.ACTIVATE)
    end = end_of(made, engine.Outcome({}, error), None, Redactor([]))
    assert end["error"]["hint"].endswith(f"liftlock jobs retry {made.job.id}")


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"drifted": "no", "reloaded": "no"}, Outcome.UNCHANGED),
        ({"drifted": "yes", "reloaded": "no"}, Outcome.CHANGED),
        ({"drifted": "no", "reloaded": "yes"}, Outcome.CHANGED),
        ({}, Outcome.CHANGED),
    ],
)
def test_a_route_that_was_as_wanted_is_unchanged(facts, outcome):
    assert ended(JobKind.ROUTE, done(**facts), targets=())["outcome"] is outcome


def test_the_second_termination_of_an_app_server_changes_nothing():
    gone = standing(2, cleaned_at=datetime.now(UTC))
    assert ended(JobKind.TERMINATE, done(), targets=(gone,))["outcome"] is Outcome.UNCHANGED


def test_a_route_that_the_router_cannot_have_is_no_bug():
    end = end_of_bug(CannotRoute("nginx cannot do TLS `auto`."))
    assert (end["error"]["code"], end["outcome"]) == ("router-incapable", Outcome.UNCHANGED)


async def test_a_site_is_asked_through_its_router_by_its_name():
    host = Asked(200)
    await service_state(work(JobKind.ACTIVATE), lambda _: host, done())
    assert host.questions == [
        (8080, "/up", {"address": "127.0.0.1", "name": "shop.example", "tls": False})
    ]


async def test_without_a_router_the_app_server_is_asked_itself():
    host = Asked(200)
    await service_state(work(JobKind.ACTIVATE, routed=None), lambda _: host, done())
    assert host.questions == [(20002, "/up", {"address": "127.0.0.1"})]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (200, ServiceState.SERVING_NEW),
        (502, ServiceState.DOWN),
        (503, ServiceState.MAINTENANCE),
        (None, ServiceState.UNKNOWN),
    ],
)
async def test_after_an_activation_the_answer_says_how_the_site_is(status, found):
    assert await state(done(), status=status) is found


async def test_after_an_activation_that_was_taken_back_the_old_set_serves():
    assert await state(engine.Outcome({"reloaded": "no"}, FAILED)) is ServiceState.SERVING_OLD


async def test_after_an_activation_that_could_not_be_taken_back_nobody_knows_who_serves():
    outcome = engine.Outcome({"reloaded": "no"}, FAILED, undone=False)
    assert await state(outcome) is ServiceState.UNKNOWN


async def test_a_router_that_was_never_told_passes_requests_on_as_before():
    outcome = engine.Outcome({}, FAILED, undone=False)
    assert await state(outcome) is ServiceState.SERVING_OLD


async def test_a_site_of_which_nothing_is_in_service_is_down():
    found = await state(done(), kind=JobKind.DEACTIVATE, targets=(OLD,))
    assert found is ServiceState.DOWN


async def test_a_termination_says_what_the_others_serve():
    assert await state(done(), kind=JobKind.TERMINATE) is ServiceState.SERVING_OLD


async def test_a_host_that_was_given_up_is_not_asked_again():
    found = await state(engine.Outcome({}, SILENT), kind=JobKind.TERMINATE)
    assert found is ServiceState.UNKNOWN
