"""Whether a router has drifted from what is wanted of it: a question, which never fails."""

from dataclasses import replace

from worker.steps.step import Command

_QUESTION = """\
(
{read_back}
)
case $? in 0) echo "drifted=no" ;; *) echo "drifted=yes" ;; esac
"""


def look(read_back: Command) -> Command:
    """Reports `drifted`, `yes` or `no`; what was found stands in the output."""
    return replace(
        read_back,
        # The runner starts a script with `set -e`, and a failing question would end this one.
        script="set +e\n" + _QUESTION.replace("{read_back}", read_back.script.rstrip("\n")),
        reports=("drifted",),
        failures={},
    )
