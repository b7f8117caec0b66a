"""What the site serves when a job has ended: asked on its host, never guessed."""

from app.domain.job import ServiceState
from app.services.work import Work
from worker import engine
from worker.remote.errors import RemoteError
from worker.remote.host import Host


async def service_state(work: Work, host: Host, outcome: engine.Outcome) -> ServiceState | None:
    """None for a job without a site. A provision activates nothing: an older app server serves."""
    if work.instance is None or work.recipe is None:
        return None
    older, check = work.older, work.recipe.check
    if older is None:
        return _of_the_only_one(outcome)
    problem = outcome.unproven or outcome.error
    if older.host_id != work.host.id or (problem and problem.code in engine.SILENT):
        return ServiceState.UNKNOWN
    path = check.path_for(older.settings)
    try:
        answer = await host.http_get(older.port, path, timeout=check.timeout)
    except RemoteError:
        return ServiceState.UNKNOWN
    return ServiceState.SERVING_OLD if answer.status in check.status else ServiceState.DOWN


def _of_the_only_one(outcome: engine.Outcome) -> ServiceState:
    """The plan's check has just answered, or the undo saw that its processes are gone."""
    problem = outcome.unproven or outcome.error
    if problem is None and outcome.stopped is None:
        return ServiceState.SERVING_NEW
    seen = outcome.undone and not (problem and problem.code in engine.SILENT)
    return ServiceState.DOWN if seen else ServiceState.UNKNOWN
