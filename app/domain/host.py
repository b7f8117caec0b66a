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
    #: A provider is to make it; it has no address yet.
    MAKING = "making"
    #: Its machine was removed, or never made.
    GONE = "gone"


#: Of a provider's machine, and nobody can reach it: not yet, or no more.
MADE = frozenset({HostStatus.MAKING, HostStatus.GONE})

#: Hosts in these states take no new job.
CLOSED = MADE | {HostStatus.CORDONED, HostStatus.QUARANTINED}

#: Only Liftlock finds a host to be so: nobody sets it.
FOUND = MADE | {HostStatus.UNREACHABLE}


class Supervisor(StrEnum):
    """Who starts a site's process on the host, and starts it again after a crash or reboot."""

    NONE = "none"
    SUPERVISORD = "supervisord"
    SYSTEMD = "systemd"
