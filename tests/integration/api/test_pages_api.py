import pytest

from tests.integration.api.conftest import HOST, INSTANCE, RECIPE, made


async def walk(client, path, limit):
    """Every page, by following Link."""
    pages = []
    address = f"{path}?limit={limit}"
    while address:
        response = await client.get(address)
        pages.append(response.json())
        link = response.links.get("next")
        assert (link is None) == (pages[-1]["next"] is None)
        address = link and link["url"]
    return pages


async def test_three_pages_hold_every_item_once_and_in_order(client):
    for number in range(5):
        await made(client.post("/v1/hosts", json={**HOST, "name": f"host-{number}"}))
    pages = await walk(client, "/v1/hosts", 2)
    assert [[item["name"] for item in page["items"]] for page in pages] == [
        ["host-0", "host-1"],
        ["host-2", "host-3"],
        ["host-4"],
    ]


async def test_a_page_that_is_just_full_is_the_last(client, host):
    assert len(await walk(client, "/v1/hosts", 1)) == 1


async def test_an_item_that_goes_between_two_pages_disturbs_nothing(client):
    for number in range(4):
        await made(client.post("/v1/hosts", json={**HOST, "name": f"host-{number}"}))
    first = await client.get("/v1/hosts?limit=2")
    await client.delete("/v1/hosts/host-1", headers={"If-Match": "*"})
    rest = await client.get(first.links["next"]["url"])
    assert [item["name"] for item in rest.json()["items"]] == ["host-2", "host-3"]


async def test_filters_are_kept_over_pages(client, instance):
    for _ in range(3):
        await made(client.post("/v1/jobs", json={"kind": "provision", "instance": "shop"}))
        await made(client.post("/v1/hosts/alpha/enroll", json={}))
    first = await client.get("/v1/jobs?kind=provision&limit=2")
    rest = await client.get(first.links["next"]["url"])
    kinds = [item["kind"] for page in (first, rest) for item in page.json()["items"]]
    assert kinds == ["provision"] * 3


@pytest.mark.parametrize(
    "path",
    [
        "/v1/instances",
        "/v1/instances/shop/app-servers",
        "/v1/jobs",
        "/v1/recipes",
        "/v1/recipes/plain/versions",
        "/v1/tokens",
    ],
)
async def test_every_list_has_pages(client, instance, path):
    await made(client.post("/v1/instances", json={**INSTANCE, "name": "other"}))
    await made(client.post("/v1/tokens", json={"name": "other"}))
    for source in (RECIPE.replace("plain", "other", 1), RECIPE.replace("2", "3", 1)):
        await made(client.post("/v1/recipes", json={"source": source}))
    for _ in range(2):
        await made(client.post("/v1/jobs", json={"kind": "provision", "instance": "shop"}))
    whole = (await client.get(path)).json()["items"]
    pages = await walk(client, path, 1)
    assert [page["items"][0] for page in pages] == whole
    assert len(whole) == 2
