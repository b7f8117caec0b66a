"""What the OpenAPI document promises, held against what the API answers."""

import asyncio
import secrets
import socket
import threading

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app import services, store
from app.domain.extension import ExtensionStatus, normalized
from app.domain.job import JobStatus
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.gateways.wakeups import Wakeups
from app.main import create_app
from app.store.database import Database
from tests.integration.api.conftest import HOST, INSTANCE, RECIPE
from tests.support import wheels
from tests.support.asset_reports import published
from tests.support.servers import wait_until
from tests.support.worked import claim, new_token

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
BOUNDED = settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
DOCUMENT = create_app(None, None, None, None).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
#: What the fields of bodies can name.
NAMES = {"instance": "shop", "host": "alpha", "recipe": "plain", "on": "host:beta", "router": None}
#: Each operation with data as documented and, where it takes any, with other data.
CASES = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for operation in (found.ok() for found in SCHEMA.get_all_operations())
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.path.startswith("/v1/")
]


@pytest.fixture(scope="module")
def url(postgres_server, template_database):
    name = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    yield postgres_server.create(name, template=template_database)
    postgres_server.drop(name)


@pytest.fixture(scope="module")
def api(url, redis_server):
    """A server in a thread, an administrator of it, and something of everything."""
    db, queue = Database(url, pool_size=4), JobQueue.connect(redis_server)
    app = create_app(db, queue, Vault(bytes(32)), Wakeups.connect(redis_server))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: server.started, "the API to start")
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    headers = {"Authorization": f"Bearer {new_token(url)}"}
    with httpx.Client(base_url=address, headers=headers, trust_env=False) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def known(api, url):
    """Path parameters of things that exist, by the noun of the path."""

    def make(path, body):
        response = api.post(path, json=body)
        assert response.is_success, response.text
        return response.json()["id"]

    api.post("/v1/identity/rotate")
    make("/v1/recipes", {"source": RECIPE})
    host, instance = make("/v1/hosts", HOST), make("/v1/instances", INSTANCE)
    beta = make("/v1/hosts", {**HOST, "name": "beta"})
    router = make("/v1/routers", {"name": "edge", "kind": "caddy", "host": "alpha"})
    placed = api.post("/v1/locks", json={"on": f"host:{beta}", "message": "Not on this one."})
    assert placed.is_success, placed.text
    job = make("/v1/jobs", {"kind": "provision", "instance": "shop"})
    # One that has ended: nobody has to wait for what it tells.
    asyncio.run(_publish_and_end(url, job))
    headers = {"Content-Type": "application/octet-stream"}
    query = {"filename": wheels.filename()}
    kept = api.post("/v1/packages", params=query, content=wheels.wheel(), headers=headers)
    return {
        "hosts": {"ref": host},
        "instances": {"ref": instance, "name": "API_KEY", "release": published().release},
        "app-servers": {"ref": "shop:1"},
        "routers": {"ref": router},
        "recipes": {"name": "plain", "version": 1},
        "jobs": {"job_id": job},
        "locks": {"name": f"manual:host:{beta}"},
        "packages": {"sha256": kept.json()["sha256"]},
    }


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_every_answer_is_one_that_the_document_promises(api, known, operation, mode):
    noun = operation.path.split("/")[2] if operation.path.startswith("/v1/") else ""

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case):
        _check(api, case)
        # Random data names what is not there: the same again about what is.
        case.path_parameters = _named(case.path_parameters, known.get(noun, {}))
        case.body = _named(case.body, NAMES)
        case.headers["If-Match"] = "*"
        _check(api, case)

    holds()
    # A lock on everything would refuse the jobs of all other cases.
    lock = api.get("/v1/locks/manual:all")
    if lock.is_success:
        headers = {"If-Match": lock.headers["ETag"]}
        api.delete("/v1/locks/manual:all?reason=over", headers=headers).raise_for_status()


def test_every_operation_has_a_name_of_its_own_and_examples():
    names = []
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (c for body in bodies for c in body.get("content", {}).values()):
                assert {"example", "examples"} & set(content), f"{method} {path}"
    assert len(names) == len(set(names))


async def _publish_and_end(url, job_id):
    db = Database(url)
    job = await claim(db, job_id)
    await services.asset_releases.record(db, job, published())
    await services.ending.settle(db, job, status=JobStatus.CANCELED)
    async with db.transaction() as session:
        await store.extensions.put(
            session,
            job.instance_id,
            # As the secret that is asked for under the same word.
            name=normalized("API_KEY"),
            source={"package": "api-key", "version": "1.0"},
            version="1.0",
            settings={},
            requires=(),
            status=ExtensionStatus.ENABLED,
            job_id=job.id,
        )
    await db.close()


def _check(api, case):
    headers = {**case.headers, "Authorization": api.headers["Authorization"]}
    for name in [one for one in headers if one.lower() == "prefer"]:
        if "wait" in headers[name].lower():
            headers[name] = "wait=0"  # no worker ends the jobs that are asked for here
    response = case.call(base_url=str(api.base_url), headers=headers)
    case.validate_response(response, checks=CHECKS)


def _named(values, known):
    """The values with those replaced that name something."""
    if not isinstance(values, dict):
        return values
    return {name: known.get(name, value) for name, value in values.items()}
