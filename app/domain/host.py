"""Hosts: machines reached by SSH."""

from enum import StrEnum


class HostStatus(StrEnum):
    READY = "ready"
    #: The last job could not reach it.
    UNREACHABLE = "unreachable"
    #: An operator keeps new work away from it.
    CORDONED = "cordoned"
    #: It was taken out of service because it drifted or failed.
    QUARANTINED = "quarantined"


#: Hosts in these states take no new job.
CLOSED = frozenset({HostStatus.CORDONED, HostStatus.QUARANTINED})


class Supervisor(StrEnum):
    """Who starts a site's process on the host, and starts it again after a crash or reboot."""

    NONE = "none"
    SUPERVISORD = "supervisord"
    SYSTEMD = "systemd"
