import asyncio
import json
import threading

import pytest

from app import services
from app.domain import recipe as recipes
from tests.integration.api.conftest import RECIPE
from tests.support.problems import check_problem, pointers

CHANGED = RECIPE.replace("default: 2", "default: 3")
YAML = {"Content-Type": "application/yaml"}


async def push(client, source):
    return await client.post("/v1/recipes", content=source, headers=YAML)


async def test_a_recipe_is_stored_as_yaml_or_as_json(client):
    first = await push(client, RECIPE)
    assert first.status_code == 201
    assert first.headers["location"] == "/v1/recipes/plain/versions/1"
    for body in ({"source": RECIPE}, {"document": first.json()["document"]}):
        again = await client.post("/v1/recipes", json=body)
        assert (again.status_code, again.json()["version"]) == (200, 1)


async def test_the_same_meaning_in_another_spelling_is_no_new_version(client):
    await push(client, RECIPE)
    again = await push(client, "# a comment\n" + RECIPE)
    assert (again.status_code, again.json()["source"]) == (200, RECIPE)


async def test_other_content_is_the_next_version_and_the_old_one_stays(client):
    for source in (RECIPE, CHANGED):
        assert (await push(client, source)).status_code == 201
    assert (await client.get("/v1/recipes/plain")).json()["source"] == CHANGED
    assert (await client.get("/v1/recipes/plain/versions/1")).json()["source"] == RECIPE
    listed = (await client.get("/v1/recipes/plain/versions")).json()["items"]
    assert [item["version"] for item in listed] == [2, 1]


async def test_going_back_to_old_content_makes_it_the_newest(client):
    for source in (RECIPE, CHANGED, RECIPE):
        pushed = await push(client, source)
    assert (pushed.status_code, pushed.json()["version"]) == (201, 3)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_version_cannot_be_changed(client, recipe, method):
    response = await client.request(method, "/v1/recipes/plain/versions/1", json={})
    check_problem(response, 405)
    assert (await client.get("/v1/recipes/plain")).json() == recipe


async def test_the_list_shows_the_newest_version_of_each(client):
    for source in (RECIPE, CHANGED, RECIPE.replace("plain", "other", 1)):
        await push(client, source)
    found = (await client.get("/v1/recipes")).json()["items"]
    assert sorted((item["name"], item["version"]) for item in found) == [("other", 1), ("plain", 2)]


async def test_every_error_of_a_recipe_is_told_with_line_and_key(client):
    source = RECIPE.replace("default: 2", "default: many") + "chekc: {}\n"
    problem = check_problem(await push(client, source), 422, "invalid-recipe")
    assert [(e["line"], e["pointer"]) for e in problem["errors"]] == [(13, "/chekc")]
    problem = check_problem(await push(client, source[:-10]), 422, "invalid-recipe")
    assert [(e["line"], e["pointer"]) for e in problem["errors"]] == [
        (6, "/settings/WORKERS/default")
    ]


async def test_an_error_of_a_json_document_is_told_with_its_key(client):
    body = {"document": {"name": "plain", "start": {"run": "x"}, "check": {"tries": "many"}}}
    assert pointers(await client.post("/v1/recipes", json=body)) == ["/document/check/tries"]


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"build": [{"name": "a", "run": "b", "timeout": None}]}, "/build/0/timeout"),
        ({"stop": {"timeout": None}}, "/stop/timeout"),
        ({"check": {"timeout": None}}, "/check/timeout"),
    ],
)
async def test_a_time_that_is_no_time_at_all_or_without_end_is_refused(
    client, part, pointer, seconds
):
    told = json.loads(json.dumps(part).replace("null", str(seconds)))
    body = {"document": {"name": "plain", "start": {"run": "x"}, "check": {}, **told}}
    response = await client.post("/v1/recipes", json=body)
    assert (response.status_code, pointers(response)) == (422, [f"/document{pointer}"])


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"a: [", b"!!python/object:os.system {}", b"name: a\x00b", b"- 1"]
)
async def test_what_is_no_recipe_is_refused_and_nothing_is_kept(client, body):
    check_problem(await push(client, body), 422)
    assert (await client.get("/v1/recipes")).json()["items"] == []


@pytest.mark.parametrize("body", [{}, {"source": 1}, {"source": RECIPE, "document": {}}, {"x": 1}])
async def test_json_of_another_form_is_refused(client, body):
    check_problem(await client.post("/v1/recipes", json=body), 422, "invalid-request")


async def test_many_who_push_the_same_at_once_make_one_version(db):
    pushed = await asyncio.gather(*(services.recipes.push(db, RECIPE) for _ in range(8)))
    assert [row.version for row, _ in pushed] == [1] * 8
    assert [is_new for _, is_new in pushed].count(True) == 1


async def test_shipped_recipes_do_not_come_back_over_a_newer_push(client, db):
    assert len(await services.recipes.load_shipped(db, [RECIPE])) == 1
    await push(client, CHANGED)
    assert await services.recipes.load_shipped(db, [RECIPE]) == []
    assert (await client.get("/v1/recipes/plain")).json()["source"] == CHANGED


@pytest.mark.parametrize("body", [b'"\\ud800": 1', b'stop: {"\\ud800": 1}', b'name: "\\ud800"'])
async def test_half_a_character_in_a_recipe_is_refused(client, body):
    check_problem(await push(client, body), 422, "invalid-recipe")


async def test_the_api_answers_others_while_it_reads_a_recipe(db, monkeypatch):
    reading, answered = threading.Event(), threading.Event()
    parse = recipes.parse

    def slow(source):
        reading.set()
        assert answered.wait(10)
        return parse(source)

    monkeypatch.setattr(recipes, "parse", slow)
    pushing = asyncio.create_task(services.recipes.push(db, RECIPE))
    assert await asyncio.to_thread(reading.wait, 10)
    answered.set()
    assert (await pushing)[1]
