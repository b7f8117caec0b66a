"""What the errors of a host may quote."""

from worker.remote.errors import HostUnreachable


def test_what_a_host_says_reaches_no_terminal_and_no_database_as_control_characters() -> None:
    error = HostUnreachable("said: a\0b\x1b[2J\r\n\tc", hint="try\0\x07")
    assert (error.detail, error.hint) == ("said: a\ufffdb[2J\n\tc", "try\ufffd")
    assert str(error) == error.detail
