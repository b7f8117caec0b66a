"""/v1/instances/{ref}/extensions, and orders about them."""

import pytest

from app import store
from app.api.extensions import Extension
from app.api.job_order import JobOrder
from app.domain.app_server import AppServerStatus
from app.domain.extension import ExtensionStatus, PackageSource
from app.domain.extension_host import ExtensionHostStatus
from app.domain.extension_spec import ExtensionSpec
from app.domain.scope import Scope
from app.models.base import new_id
from app.services.job_request import JobRequest
from tests.integration.api.conftest import made
from tests.integration.api.test_pages_api import walk
from tests.support import factories
from tests.support.problems import check_problem, pointers

EXTENSIONS = "/v1/instances/shop/extensions"
ERROR = {"code": "step-failed", "title": "A step failed", "detail": "It raises.", "step": "enable"}
SHA256 = "a" * 64


@pytest.fixture
async def rows(db, instance):
    """The instance and its host as they are stored."""
    async with db.transaction() as session:
        found = await store.instances.get(session, "shop")
        return found, await store.hosts.get(session, "alpha")


@pytest.fixture
def add(db, rows):
    async def make(name="guestbook-stars", **values):
        source = PackageSource(package="Guestbook_Stars", version="1.2.0")
        given = {
            "source": source.document(),
            "version": "1.2.0",
            "settings": {"APP": "stars"},
            "requires": ["tags"],
            "status": ExtensionStatus.ENABLED,
            "job_id": new_id(),
        }
        async with db.transaction() as session:
            given = {**given, **values}
            return await store.extensions.put(session, rows[0].id, name=name, **given)

    return make


async def test_an_instance_begins_without_extensions(client, instance):
    assert await made(client.get(EXTENSIONS)) == {"items": [], "next": None}


async def test_an_extension_shows_what_is_wanted_and_what_each_host_has(client, db, rows, add):
    row, server = await add(), await factories.add_app_server(db, *rows)
    async with db.transaction() as session:
        await store.extensions.keep_host(
            session,
            row.id,
            rows[1].id,
            stamp="1.2.0",
            status=ExtensionHostStatus.INSTALLED,
            error=None,
            app_server_id=server.id,
        )
    shown = await made(client.get(f"{EXTENSIONS}/guestbook-stars"))
    [host] = shown.pop("hosts")
    assert host.pop("at")
    assert host == {
        "host": {"id": str(rows[1].id), "name": "alpha"},
        "stamp": "1.2.0",
        "status": "installed",
        "error": None,
        "app_server": {"id": str(server.id), "name": "AppServer 1"},
    }
    assert shown.pop("created_at") <= shown.pop("updated_at")
    assert shown == {
        "id": str(row.id),
        "name": "guestbook-stars",
        "version": "1.2.0",
        "status": "enabled",
        "source": {
            "package": "Guestbook_Stars",
            "version": "1.2.0",
            "url": None,
            "sha256": None,
            "wheel": None,
        },
        "settings": {"APP": "stars"},
        "requires": ["tags"],
        "serving": None,
        "load_error": None,
        "error": None,
        "last_job": str(row.last_job_id),
    }


async def test_a_failed_one_says_why_on_which_host(client, db, rows, add):
    row = await add()
    async with db.transaction() as session:
        await store.extensions.set_status(
            session,
            row.id,
            status=ExtensionStatus.FAILED,
            load_error="It raises.\n\nTraceback (most recent call last):\n",
            error=ERROR,
            job_id=new_id(),
        )
        await store.extensions.keep_host(
            session,
            row.id,
            rows[1].id,
            stamp=None,
            status=ExtensionHostStatus.FAILED,
            error=ERROR,
            app_server_id=None,
        )
    shown = await made(client.get(f"{EXTENSIONS}/guestbook-stars"))
    assert (shown["status"], shown["error"]) == ("failed", ERROR)
    assert shown["load_error"].startswith("It raises.\n\nTraceback")
    [host] = shown["hosts"]
    assert (host["host"]["name"], host["status"], host["error"]) == ("alpha", "failed", ERROR)
    assert (host["stamp"], host["app_server"]) == (None, None)


async def test_they_are_listed_by_name_as_each_is_shown(client, add):
    for name in ("stars", "ads", "tags"):
        await add(name)
    pages = await walk(client, EXTENSIONS, 2)
    found = [item for page in pages for item in page["items"]]
    assert [item["name"] for item in found] == ["ads", "stars", "tags"]
    assert found[0] == await made(client.get(f"{EXTENSIONS}/ads"))


async def test_another_spelling_finds_it_and_another_name_does_not(client, add):
    await add()
    assert (await made(client.get(f"{EXTENSIONS}/Guestbook_Stars")))["name"] == "guestbook-stars"
    problem = check_problem(await client.get(f"{EXTENSIONS}/guestbook-star"), 404, "not-found")
    assert "Did you mean guestbook-stars?" in problem["hint"]
    check_problem(await client.get(f"{EXTENSIONS}/a b"), 404, "not-found")


@pytest.mark.parametrize("address", ["", "/stars"])
async def test_an_instance_that_there_is_not_has_none(client, address):
    check_problem(await client.get(f"/v1/instances/none/extensions{address}"), 404)


async def test_a_reader_may_look(connect, add):
    await add()
    reader = await connect(Scope.READ)
    assert len((await made(reader.get(EXTENSIONS)))["items"]) == 1


async def test_an_app_server_shows_the_extensions_of_its_release(client, db, rows):
    source = {"package": "stars", "version": "1.0"}
    one = {"name": "stars", "version": "1.0", "enabled": True, "settings": {}, "requires": []}
    await factories.add_app_server(db, *rows, extensions=[{**one, "source": source}])
    await factories.add_app_server(db, *rows)
    with_it, without = (
        (await made(client.get("/v1/app-servers/shop:1")))["extensions"],
        (await made(client.get("/v1/app-servers/shop:2")))["extensions"],
    )
    assert with_it == [{"name": "stars", "version": "1.0", "enabled": True}]
    assert without == []


async def test_one_tells_what_visitors_have_of_it_after_a_return_to_an_older_release(
    client, db, rows, add
):
    await add("stars")
    await add("tags")
    source = {"package": "stars", "version": "1.0"}
    one = {"name": "stars", "version": "1.0", "enabled": False, "settings": {}, "requires": []}
    have = [{**one, "source": source}]
    older = {"number": 1, "is_active": True, "extensions": have}
    await factories.add_app_server(db, *rows, status=AppServerStatus.RUNNING, **older)
    await factories.add_app_server(db, *rows, status=AppServerStatus.RUNNING, number=2)
    found = {one["name"]: one for one in (await made(client.get(EXTENSIONS)))["items"]}
    assert found["stars"]["version"] == "1.2.0"
    assert found["stars"]["serving"] == {"version": "1.0", "enabled": False}
    assert found["tags"]["serving"] is None


def test_the_example_of_the_documentation_has_all_fields():
    [example] = Extension.model_config["json_schema_extra"]["examples"]
    shown = Extension(**example).model_dump(mode="json")
    assert shown == example


INSTALL = {
    "kind": "install",
    "instance": "shop",
    "extension": {"package": "Guestbook_Stars", "version": "1.2.0"},
}
REMOVE = {"kind": "uninstall", "instance": "shop", "extension": {"package": "stars"}}


def install(**values):
    return {**INSTALL, "extension": {**INSTALL["extension"], **values}}


def remove(kind="uninstall", **values):
    return {**REMOVE, "kind": kind, "extension": {**REMOVE["extension"], **values}}


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/extension", {"kind": "install", "instance": "shop"}),
        ("/extension", {**INSTALL, "extension": None}),
        ("/extension", {**INSTALL, "extension": "stars"}),
        ("/extension", {"kind": "enable", "instance": "shop"}),
        ("/extension/package", {**INSTALL, "extension": {"version": "1.0"}}),
        ("/extension/package", install(package="stars[extra]")),
        ("/extension/package", install(package="-r")),
        ("/extension/version", {**INSTALL, "extension": {"package": "stars"}}),
        ("/extension/version", install(version=None)),
        ("/extension/version", install(version=">=1.0")),
        ("/extension/sha256", install(url="https://files.invalid/stars-1.2.0.tar.gz")),
        ("/extension/sha256", install(sha256="A" * 64)),
        ("/extension/url", install(url="http://files.invalid/stars.whl", sha256=SHA256)),
        ("/extension/url", install(url="https://u:p@files.invalid/stars.whl", sha256=SHA256)),
        ("/extension/requires", install(requires=["guestbook-stars"])),
        ("/extension/wheel", install(wheel="stars-1.2.0-py3-none-any.whl")),
        ("/extension/when", install(when="now")),
        ("/extension/version", remove(version="1.2.0")),
        ("/extension/url", remove(url="https://files.invalid/stars.whl", sha256=SHA256)),
        ("/extension/sha256", remove("enable", sha256=SHA256)),
        ("/extension/settings", remove("disable", settings={"APP": "stars"})),
        ("/extension/requires", remove("disable", requires=["tags"])),
        ("/force", {**INSTALL, "force": 1}),
        ("/force", {"kind": "provision", "instance": "shop", "force": True}),
        ("/extension", {**INSTALL, "kind": "provision"}),
        ("/extension", {"kind": "route", "instance": "shop", "extension": {"package": "a"}}),
        ("/revision", {**INSTALL, "revision": "v2"}),
        ("/host", {**INSTALL, "host": "alpha"}),
        ("/app_server", {**INSTALL, "app_server": "shop:1"}),
        ("/activate", {**INSTALL, "activate": True}),
        ("/drain", {**INSTALL, "drain": -1}),
    ],
)
async def test_a_wrong_order_is_refused_with_its_place(client, instance, pointer, body):
    response = await client.post("/v1/jobs", json=body)
    assert pointers(response)[0] == pointer
    assert (await made(client.get("/v1/jobs")))["items"] == []


async def test_reading_is_not_enough_to_change_extensions(connect, instance):
    reader = await connect(Scope.READ)
    check_problem(await reader.post("/v1/jobs", json=INSTALL), 403, "forbidden")


def test_what_is_asked_reaches_the_service_as_it_was_said():
    order = JobOrder(**{**install(requires=["tags"]), "force": True, "watch": 5})
    request = JobRequest(**dict(order))
    assert request.extension == ExtensionSpec(
        package="Guestbook_Stars", version="1.2.0", requires=("tags",)
    )
    assert (request.kind, request.instance) == ("install", "shop")
    assert (request.force, request.watch, request.drain) == (True, 5, None)
