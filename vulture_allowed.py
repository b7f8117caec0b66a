"""Names that look unused and are not, with who uses them; vulture reads this, nothing runs it."""

from typing import Any

__all__ = ["used"]


def used(it: Any) -> tuple[Any, ...]:
    """Every line: what, and by whom."""
    return (
        # arq reads the class by name.
        it.WorkerSettings,
        it.functions,
        it.redis_settings,
        it.on_startup,
        it.on_shutdown,
        it.max_jobs,
        it.max_tries,
        it.keep_result,
        it.job_timeout,
        it.poll_delay,
        it.job_serializer,
        it.job_deserializer,
        it.health_check_interval,
        it.jobs_complete,
        it.jobs_failed,
        it.handle_sig,
        it.health_check_key,
        # SQLAlchemy calls a column type's methods.
        it.impl,
        it.cache_ok,
        it.process_bind_param,
        it.process_result_value,
        # Read from rows into JSON by the names of the model's fields.
        it.activated_at,
        it.deactivated_at,
        it.terminated_at,
        it.active_app_servers,
        it.newest_app_server,
        it.tls_modes,
        it.last_job,
        # Columns that only SQL text reads and writes.
        it.dispatched_at,
        it.lease_until,
        it.last_seq,
        it.holder_job,
        it.holder_attempt,
        it.acquired_at,
        it.is_active,
        it.look_at,
        it.looked_at,
        it.look_error,
        it.left_at,
        it.extensions_seen_at,
        # Fields of answers: FastAPI renders them.
        it.enrolled,
        it.requested_at,
        it.docs,
        it.safe_to_break,
        it.was_alive,
        it.waits_until,
        it.given_up,
        it.no_look,
        it.behind_since,
        it.repaired_at,
        it.new_files,
        it.reused_files,
        it.warnings_total,
        it.errors_total,
        it.manifest_url,
        it.verified_at,
        # Words of the domain that stand in the schema before anything says them.
        it.CANCELING,
        it.SKIPPED,
        it.SERVING_OLD,
        it.MAINTENANCE,
        # asyncssh calls the methods of servers and clients, with arguments not all want.
        it.connection_made,
        it.begin_auth,
        it.connection_requested,
        it.validate_host_public_key,
        it.addr,
        # A context manager's arguments; a reader's, which asks for no amount.
        it.trace,
        it.n,
        # tarfile writes it into the header.
        it.mtime,
        # rich calls it.
        it.on_broken_pipe,
        # PyYAML looks it up in the class.
        it.yaml_implicit_resolvers,
    )
