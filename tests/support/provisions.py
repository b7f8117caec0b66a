"""A provision that is asked for, and its plan."""

from uuid import UUID

from app.domain.recipe import parse
from worker.plans import provision
from worker.plans.plan import Plan
from worker.plans.provision import ProvisionRequest
from worker.steps.step import Command, Step

RECIPE = parse("""
name: site
settings:
  PAGE: {}
  WORD: {}
preflight:
  tools: [python3, git]
  writable: [media, logs]
  commands: [{name: database answers, run: pg_isready, hint: start it}]
build: [{name: packages, run: make build, timeout: 33}]
static: {collect: make static, path: public}
prepare: [{name: folders, run: make folders}]
participants:
- {name: search, after: [tables], created: [{name: index, run: make index}]}
- {name: tables, created: [{name: schema, run: make schema}], needs_upgrade: make ask}
start: {run: exec serve, env_file: true}
stop: {timeout: 7}
check: {path: /up, path_setting: PAGE, status: [200, 204], contains: Welcome, tries: 3, every: 0.1}
diagnose: [{name: versions, run: make versions}]
""")
SERVER = UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11")


def request(**changes: object) -> ProvisionRequest:
    values: dict[str, object] = {
        "id": SERVER,
        "number": 4,
        "instance": "guestbook",
        "repository": "https://git.example.org/guestbook.git",
        "revision": "v1",
        "name": "AppServer 4",
        "domain": "guestbook.example.org",
        "recipe": RECIPE,
        "environment": {"PAGE": "/health", "WORD": "hello"},
        "port": 20004,
        "secret_names": ("SECRET_KEY", "DEPLOY_KEY"),
        "host_name": "web1",
    }
    return ProvisionRequest(**{**values, **changes})


def planned(**changes: object) -> Plan:
    return provision.plan(request(**changes))


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps]


def step(plan: Plan, name: str) -> Step:
    (found,) = (step for step in (*plan.steps, *plan.on_failure) if step.name == name)
    return found


def command(plan: Plan, name: str) -> Command:
    action = step(plan, name).action
    assert isinstance(action, Command)
    return action
