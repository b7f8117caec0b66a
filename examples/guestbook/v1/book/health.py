"""Says whether this process can serve the site with the database it has."""

from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    status, schema = _database()
    code = HTTPStatus.OK if status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
    answer = {"status": status, "revision": settings.REVISION, "schema": schema}
    return JsonResponse(answer, status=code)


def _database() -> tuple[str, str | None]:
    """Tell the state of the database and the newest migration applied to it.

    A schema newer than this code is fine: during an upgrade the old revision still serves.
    """
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError:
        return "database-unreachable", None
    graph = executor.loader.graph
    applied = [name for app, name in executor.loader.applied_migrations if app == "book"]
    behind = executor.migration_plan(graph.leaf_nodes("book"))
    return "schema-behind" if behind else "ok", max(applied, default=None)
