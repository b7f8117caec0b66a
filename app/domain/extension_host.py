"""What is known of an extension on one host."""

from enum import StrEnum


class ExtensionHostStatus(StrEnum):
    """Whether the last job that was about it brought it there, and whether it is there still."""

    INSTALLED = "installed"
    #: It was installed, and a look has found some of it missing or changed.
    DEGRADED = "degraded"
    FAILED = "failed"
    #: The job that was to bring it there failed elsewhere, and nothing of it is left here.
    ABSENT = "absent"
