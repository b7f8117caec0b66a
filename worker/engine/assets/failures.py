"""How failures of an asset release read to people."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.problem import CODES
from worker.assets.problem import AssetError, Problem
from worker.engine.failed import Failed
from worker.steps.step import Failure

#: Problems in the sentences of an error; the release itself keeps them all.
_SHOWN = 5
#: What a store may answer otherwise a little later.
_PASSING = frozenset(
    {"store-unreachable", "store-failed", "store-changing", "intent-lost", "collecting-garbage"}
)


def refused(problems: Sequence[Mapping[str, Any]], hint: str) -> Failed:
    advice = "Correct the files, or write `lenient: true` under `static` of the recipe."
    return _failed("assets-refused", problems, f"{hint} {advice}".strip())


def crashed(why: str) -> Failed:
    hint = "Look at memory and disk of the worker's machine: free -m; df -h; dmesg | tail"
    return _failed("assets-build-failed", [{"message": why}], hint)


def unpublished(store: str, error: AssetError) -> Failed:
    """Names store and key: the message of a problem does, where a key is to blame."""
    passes = all(problem.code in _PASSING for problem in error.problems)
    code = "assets-store-unreachable" if passes else "assets-publish-failed"
    problems = [problem.as_json() for problem in error.problems]
    return _failed(code, problems, error.hint or f"Look at the store: {store}")


def unverified(base_url: str, problems: Sequence[Problem]) -> Failed:
    hint = (
        f"See what answers: curl -I {base_url}{problems[0].file or ''}; compare with "
        "LIFTLOCK_ASSETS_STORE and LIFTLOCK_ASSETS_URL of the workers."
    )
    return _failed("assets-unverified", [problem.as_json() for problem in problems], hint)


def _failed(code: str, problems: Sequence[Mapping[str, Any]], hint: str) -> Failed:
    lines = [_sentence(problem) for problem in problems[:_SHOWN]]
    if (more := len(problems) - len(lines)) > 0:
        lines.append(f"and {more:,} more: liftlock assets show INSTANCE RELEASE")
    return Failed(Failure(code, CODES[code].title, hint), "\n".join(lines))


def _sentence(problem: Mapping[str, Any]) -> str:
    """The message names file, line and reference."""
    nearest = ", ".join(problem.get("nearest", ()))
    return f"{problem['message']}{f' Nearest: {nearest}.' if nearest else ''}"
