"""The catalogue of error codes: what each means and whether trying again can help."""

from dataclasses import dataclass
from typing import Any

DOCS = "docs/errors.md"


@dataclass(frozen=True)
class Code:
    """One row of the catalogue; `docs/errors.md` has a section for each."""

    code: str
    title: str
    transient: bool = False


_ROWS = (
    # The request itself
    Code("unauthorized", "A valid token is needed"),
    Code("forbidden", "The token may not do this"),
    Code("not-found", "There is no such thing"),
    Code("method-not-allowed", "This address does not answer to this method"),
    Code("invalid-request", "The request is not valid"),
    Code("unsupported-media-type", "The body's content type is not accepted"),
    Code("request-too-large", "The body is too large"),
    Code("conflict", "The request does not fit the present state"),
    Code("already-exists", "The name is taken"),
    Code("in-use", "Something still depends on it"),
    Code("holds-data", "The machine holds the only data of the site"),
    Code("if-match-missing", "The request must say which version it changes"),
    Code("stale", "Somebody changed it in the meantime"),
    Code("plan-not-ready", "No worker has planned this job yet", transient=True),
    Code("host-closed", "The host takes no new work"),
    Code("no-place", "No host of the pool has room for another app server", transient=True),
    Code("app-server-unhealthy", "Only an app server that runs can go into service"),
    Code("app-server-active", "The app server is in service"),
    Code("incomplete-set", "Fewer app servers would serve than the instance wants"),
    Code("router-incapable", "The router cannot do what is asked of it"),
    Code("router-cannot-reach", "The router cannot reach the app server"),
    Code("invalid-recipe", "The recipe is not valid"),
    Code("invalid-settings", "The settings do not fit the recipe"),
    Code("invalid-wheel", "The upload is no wheel"),
    Code("unavailable", "A part that Liftlock needs does not answer", transient=True),
    Code("internal-error", "Liftlock made a mistake"),
    # Waiting and owning
    Code("lock-wait-timeout", "The job waited too long for another one"),
    Code("locks-unavailable", "The locks could not be asked for", transient=True),
    Code("worker-lost", "The worker that ran the job went silent"),
    Code("lost-ownership", "Another attempt owns this job now"),
    Code("deadline-exceeded", "The job did not end in time"),
    Code("canceled", "The job was canceled"),
    Code("cancel-unproven", "Nobody can tell whether everything of the job has stopped"),
    Code("job-ended", "The job has ended already"),
    Code("too-early", "It is too early for that", transient=True),
    Code("already-waiting", "The same job is waiting already"),
    Code("not-waiting", "The job does not wait for an answer"),
    Code("manual-lock", "Somebody has locked it by hand"),
    Code("holder-alive", "A worker is busy with the job that holds the lock"),
    Code("lock-broken", "Somebody took the job's lock away"),
    # Requests sent twice
    Code("idempotency-key-reused", "The key belongs to another request"),
    Code("idempotency-in-progress", "The same request is being answered now", transient=True),
    Code("events-expired", "The events were removed, as their time to be kept is over"),
    # Reaching a host
    Code("host-unreachable", "The host does not answer", transient=True),
    Code("host-key-missing", "The host's key is not pinned yet"),
    Code("host-key-changed", "The host shows another key than the pinned one"),
    Code("ssh-auth-failed", "The host refuses Liftlock's key"),
    Code("forwarding-refused", "The host's SSH server does not forward connections"),
    Code("connection-lost", "The connection to the host was lost for good"),
    Code("runner-failed", "Liftlock's runner does not work on the host"),
    Code("source-refused", "A file cannot be sent to the host"),
    Code("files-changed", "Files on the host changed while they were read", transient=True),
    Code("fenced-out", "A newer attempt works on the host"),
    Code("host-busy", "An older attempt still works on the host", transient=True),
    # Steps
    Code("step-failed", "A command failed"),
    Code("step-timeout", "A command took too long"),
    Code("step-silent", "A command said nothing for too long"),
    Code("step-vanished", "A command ended without an exit code"),
    Code("process-survived", "A process could not be ended"),
    Code("disk-full", "The host's disk is full"),
    Code("preflight-failed", "The host lacks something the site needs"),
    Code("tool-missing", "A program is missing on the host"),
    Code("not-writable", "A folder on the host cannot be written"),
    Code("revision-not-found", "The repository has no such revision"),
    Code("repository-unreachable", "The repository does not answer", transient=True),
    Code("repository-auth-failed", "The repository refuses the access"),
    Code("needs-upgrade", "The site's data is older than this revision needs"),
    Code("port-in-use", "Another program listens on the port"),
    Code("start-failed", "The site did not start"),
    Code("check-failed", "The site does not answer as it should"),
    Code("secret-missing", "A secret that the recipe needs is not set"),
    # Extensions
    Code("no-extensions", "The recipe takes no extensions"),
    Code("nothing-runs", "No app server of the instance runs"),
    Code("requirement-missing", "An extension that it requires is not installed"),
    Code("requirement-circle", "The extensions would require each other"),
    Code("extension-always-enabled", "The extension is always enabled"),
    Code("extension-failed", "The extension could not be installed, enabled or disabled"),
    Code("extension-locked", "The extension's lock on the host could not be had"),
    Code("media-incomplete", "The extension's media are not all in their place"),
    Code("stamp-unwritten", "The extension's version stamp could not be written"),
    # Routers and activation
    Code("router-missing", "The router's program is missing on its host"),
    Code("router-refused", "The router refuses its configuration"),
    Code("router-unreachable", "The router does not answer", transient=True),
    Code("router-drifted", "The router is not configured as it was told to be"),
    Code("certificate-missing", "The router has no certificate for the site's name"),
    Code("background-failed", "A background part of the site did not start or stop"),
    Code("site-broken", "The site answered wrongly after the switch"),
    Code("newer-request", "A newer request is in service already"),
    Code("unconfirmed-gone", "Nobody can tell whether the app server is gone"),
    # Machines of providers
    Code("provider-failed", "The provider's program failed"),
    Code("machine-failed", "The machine could not be made"),
    # Asset releases
    Code("assets-not-configured", "Workers have no place for asset releases"),
    Code("assets-refused", "The static files refer to what is not there, or cannot be built"),
    Code("assets-build-failed", "The worker's machine could not build the static files"),
    Code("assets-publish-failed", "The asset release could not be published"),
    Code("assets-store-unreachable", "The store of asset releases does not answer", transient=True),
    Code("assets-unverified", "Browsers do not get the files of the release", transient=True),
)

CODES = {row.code: row for row in _ROWS}


def error_of(code: str, detail: str, *, hint: str) -> dict[str, Any]:
    """The error of a job that ends without a step to blame."""
    return {
        "code": code,
        "title": CODES[code].title,
        "detail": detail,
        "hint": hint,
        "step": None,
        "docs": docs_url(code),
    }


def docs_url(code: str) -> str:
    """Where the code is explained."""
    return f"{DOCS}#{code}"
