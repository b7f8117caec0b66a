"""What is known of an extension on one host."""

from enum import StrEnum


class ExtensionHostStatus(StrEnum):
    """Whether the last job that was about it brought it there."""

    INSTALLED = "installed"
    FAILED = "failed"
    #: The job that was to bring it there failed elsewhere, and nothing of it is left here.
    ABSENT = "absent"
