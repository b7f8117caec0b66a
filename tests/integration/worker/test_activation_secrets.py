"""What a site's scripts and pages say of its secrets: nowhere in Postgres, in any job about it."""

import pytest

from app import services
from app.domain.job import JobKind, JobStatus
from app.store.database import driver
from tests.integration.worker.conftest import SHOP_NAME
from tests.support import factories, sites

pytestmark = pytest.mark.timeout(180)

SECRET = "s3cret-of-the-shop"
#: Printed by its scripts and its server, whole and in two parts, and by its pages.
SAY = 'echo "the token is $TOKEN"; printf %s "${TOKEN%shop}"; echo shop >&2'
TELLTALE = f"""
name: shop
build:
  - name: page
    run: |
      echo "${{RELEASE_DIR##*-}}" > number
      echo "$TOKEN" > "$TOKEN"
start:
  run: |
    {SAY}
    {sites.SERVE}
check: {{path: /number, every: 0.1}}
smoke: [/smoke]
background:
  start:
    - name: worker
      run: |
        {SAY}
        test ! -e "$SHARED_DIR/broken-${{RELEASE_DIR##*-}}"
  stop:
    - {{name: worker, run: '{SAY}'}}
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'secrets'"


@pytest.fixture
async def shop(db, vault, site, router):
    """Behind the router, with a secret that it cannot keep for itself."""
    instance = await site(recipe=TELLTALE)
    host = (await services.hosts.get(db, "alpha")).host
    row = await factories.add_router(db, host, options=router.options)
    await factories.change(db, instance, router_id=row.id, domain=SHOP_NAME)
    await services.secrets.put(db, vault, instance="shop", name="TOKEN", value=SECRET)
    return instance


@pytest.fixture
def written(db):
    """All that Postgres has in clear, as text."""

    async def read():
        async with db.statement() as session:
            connection = driver(session)
            names = [row["tablename"] for row in await connection.fetch(_TABLES)]
            rows = [
                row["text"]
                for name in names
                for row in await connection.fetch(f'SELECT "{name}"::text AS text FROM "{name}"')
            ]
        return "\n".join(rows)

    return read


async def test_no_job_about_app_servers_keeps_a_secret_in_clear(
    db, carried_out, standing, machine, written
):
    await standing(2)
    broken = await carried_out(JobKind.ACTIVATE, app_servers=("shop:2",), watch=1, drain=0)
    assert broken.error["code"] == "site-broken"
    (machine.base / "apps/shop/shared/broken-2").touch()
    failed = await carried_out(JobKind.ACTIVATE, app_servers=("shop:2",), watch=0, drain=0)
    assert failed.error["code"] == "background-failed"
    assert "the token is [redacted]" in failed.error["detail"]
    removed = await carried_out(JobKind.DEACTIVATE, app_server="shop:1")
    gone = await carried_out(JobKind.TERMINATE, app_server="shop:1")
    assert [removed.status, gone.status] == [JobStatus.SUCCEEDED] * 2, gone.error
    for job in (broken, failed, removed, gone):
        said = [event.data.get("text", "") for event in await factories.events(db, job.id)]
        assert "the token is [redacted]" in "".join(said)
    assert SECRET not in await written()
