"""The plans that the benchmark's workers carry out instead of reading a host's key."""

from app.domain.job import JobKind
from worker.plans.plan import Plan
from worker.steps.step import Command, Note, Step

#: The settings of such a worker, and the environment variable that chooses its plan.
WORKER = "benchmarks.worker.WorkerSettings"
CHOICE = "BENCH_PLAN"
NOTHING, STEPS, LONG = "nothing", "steps", "long"

#: Steps of the plan with steps.
COUNT = 20

#: Half a minute of lines, and one line in a file for each time it is begun.
_TALK = """
    echo begun >> "$LIFTLOCK_BASE/effect"
    n=0
    while [ $n -lt 150 ]; do n=$((n+1)); echo $n; sleep 0.2; done
"""


def plan(choice: str) -> Plan:
    return Plan(JobKind.ENROLL, tuple(_steps(choice)))


def _steps(choice: str) -> list[Step]:
    if choice == NOTHING:
        return [Step("nothing", "Do nothing", Note("nothing"))]
    if choice == LONG:
        return [Step("talk", "Talk for half a minute", Command(_TALK, timeout=60))]
    return [Step(f"say-{number}", "Say a word", Command("echo done")) for number in range(COUNT)]
