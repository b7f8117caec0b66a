"""Wheels are uploaded once, looked at, and kept while anything needs them."""

import asyncio
import hashlib

import pytest

from app import services, store
from app.domain.extension import ExtensionStatus
from app.errors import InUse, Invalid, NotFound
from app.models.base import new_id
from tests.support import factories
from tests.support.wheels import filename, wheel

CONTENT = wheel()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def upload(db, content=CONTENT, name=None, actor="ann"):
    name = filename() if name is None else name
    return services.packages.upload(db, filename=name, content=content, actor=actor)


async def listed(db):
    return await services.packages.list_page(db, after=None, limit=10)


async def test_a_wheel_is_kept_with_what_it_says_of_itself(db):
    row, is_new = await upload(db)
    assert is_new
    assert (row.sha256, row.size, row.actor) == (SHA256, len(CONTENT), "ann")
    assert (row.name, row.version, row.filename) == ("guestbook-stars", "1.2.0", filename())
    found = await services.packages.get(db, SHA256)
    assert (found.created_at, found.name) == (row.created_at, row.name)


async def test_the_same_bytes_again_are_the_same_package(db):
    first, _ = await upload(db)
    again, is_new = await upload(db, name=filename().replace("py3", "py2.py3"), actor="ben")
    assert not is_new
    assert (again.filename, again.actor) == (first.filename, "ann")
    assert len(await listed(db)) == 1


async def test_of_many_at_once_one_is_new(db):
    made = await asyncio.gather(*(upload(db) for _ in range(5)))
    assert [is_new for _, is_new in made].count(True) == 1
    assert {row.sha256 for row, _ in made} == {SHA256}


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", filename(), "it is no zip archive"),
        (CONTENT, filename("other"), "its name says other 1.2.0"),
        (CONTENT, "stars.zip", "is no name of a wheel"),
    ],
)
async def test_what_is_no_wheel_is_refused_and_not_kept(db, content, name, why):
    with pytest.raises(Invalid) as raised:
        await upload(db, content, name)
    assert raised.value.code == "invalid-wheel"
    assert why in raised.value.errors[0].detail
    assert await listed(db) == []


async def test_a_worker_gets_the_very_bytes(db):
    await upload(db)
    assert await services.packages.content(db, SHA256) == CONTENT
    with pytest.raises(NotFound, match=f"no uploaded package {'0' * 64}"):
        await services.packages.content(db, "0" * 64)


async def test_an_unknown_package_says_where_to_look(db):
    with pytest.raises(NotFound) as raised:
        await services.packages.get(db, SHA256)
    assert raised.value.hint == "List them: GET /v1/packages"
    with pytest.raises(NotFound):
        await services.packages.remove(db, SHA256)


async def test_a_package_that_nothing_needs_is_removed(db):
    await upload(db)
    await services.packages.remove(db, SHA256)
    assert await listed(db) == []


async def test_a_package_that_an_extension_needs_stays(db):
    await upload(db)
    _, instance = await factories.add_site(db)
    async with db.transaction() as session:
        await store.extensions.put(
            session,
            instance.id,
            name="guestbook-stars",
            source={"package": "guestbook_stars", "version": "1.2.0", "sha256": SHA256},
            version="1.2.0",
            settings={},
            requires=(),
            status=ExtensionStatus.DISABLED,
            job_id=new_id(),
        )
    with pytest.raises(InUse, match="needed by extension guestbook-stars of instance shop"):
        await services.packages.remove(db, SHA256)
    assert len(await listed(db)) == 1
