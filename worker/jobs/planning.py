"""From the rows of a job to the request that its plan is compiled from."""

from app.domain.asset_release import AssetPlace
from app.domain.job import JobKind
from app.services.work import Work
from worker.plans import enroll, provision
from worker.plans.plan import Plan


def plan_of(work: Work, asset_place: AssetPlace | None = None) -> Plan:
    """The steps of the job; pure but for reading the rows."""
    if work.job.kind is JobKind.ENROLL:
        return enroll.plan()
    return provision.plan(_provision(work, asset_place))


def _provision(work: Work, asset_place: AssetPlace | None) -> provision.ProvisionRequest:
    instance, recipe, app_server, facts = work.instance, work.recipe, work.app_server, work.facts
    if instance is None or recipe is None or app_server is None or facts is None:
        raise ValueError(f"Job {work.job.id} is a provision without an instance.")
    host = work.host
    return provision.ProvisionRequest(
        app_server=app_server.id,
        number=app_server.number,
        instance=instance.name,
        repository=instance.repository,
        revision=app_server.revision,
        domain=instance.domain or "",
        recipe=recipe,
        environment=app_server.settings,
        secret_names=work.secret_names,
        port=app_server.port,
        host_name=host.name,
        base_dir=host.base_dir,
        sudo=host.sudo,
        supervisor=host.supervisor,
        supervisor_options=host.supervisor_options,
        prepared=facts.prepared,
        participants_created=facts.participants_created,
        others_running=facts.others_running,
        asset_place=asset_place,
    )
