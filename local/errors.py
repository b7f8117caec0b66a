"""How `up` ends early: nothing was harmed (exit 2), or a part failed (exit 1)."""


class Refused(Exception):
    """Nothing was started or changed; the message says what is wrong and what to type."""

    status = 2


class Failed(Exception):
    """A part did not start or did not stay up; the others were stopped."""

    status = 1
