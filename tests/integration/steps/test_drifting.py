"""A question about a router: answered for every way in which reading back may end."""

import pytest

from tests.support.local_shell import LocalShell
from worker.steps import drifting
from worker.steps.step import Command, Failure


@pytest.mark.parametrize(
    ("script", "drifted"),
    [
        ("echo as wanted", "no"),
        ("set -eu\necho found this, wanted that >&2\nexit 64\n", "yes"),
        ("set -eu\nfalse\necho not here", "yes"),
    ],
)
def test_a_question_about_a_router_is_always_answered(
    shell: LocalShell, script: str, drifted: str
) -> None:
    failure = Failure("router-drifted", "It is not", "Look.")
    asked = Command(script, env={"WORD": "x"}, reports=("upstreams",), failures={64: failure})
    ran = shell.run(drifting.look(asked))
    assert (ran.exit_code, ran.facts) == (0, {"drifted": drifted})
    assert "not here" not in ran.output
