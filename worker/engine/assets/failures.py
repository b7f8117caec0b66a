"""How failures of an asset release read to people."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.domain.asset_release import AssetPlace
from app.domain.problem import CODES
from worker.assets.building.resolving import LENIENT
from worker.assets.problem import AssetError, Problem, sentence
from worker.engine.assets.build import Crashed, Refused
from worker.engine.assets.damage import Damage
from worker.engine.assets.problems import Problems, of_error, of_problems
from worker.engine.failed import Failed
from worker.steps.step import Failure

#: Problems in the sentences of an error; the release itself keeps them all.
_SHOWN = 5
#: What a store may answer otherwise a little later.
_PASSING = frozenset(
    {"store-unreachable", "store-failed", "store-changing", "intent-lost", "collecting-garbage"}
)
_PLACE = "LIFTLOCK_ASSETS_STORE and LIFTLOCK_ASSETS_URL of the workers"
_URL = frozenset({"bad-base-url"})
_ALTERED = "altered"
#: What helps when all problems are of these kinds, in the words of a recipe.
_ADVICE: Mapping[frozenset[str], str] = {
    LENIENT: "Correct the files, or write `lenient: true` under `static` of the recipe.",
    frozenset({"bad-name", "name-clash"}): (
        "Rename the files, or leave them out with `ignore` under `static` of the recipe."
    ),
    frozenset(
        {
            "bad-bundles",
            "bundle-circle",
            "import-too-late",
            "minify-failed",
            "module-in-bundle",
            "source-not-found",
        }
    ): "Correct `bundles` under `static` of the recipe, or the files that they are made of.",
    frozenset({"required-missing"}): (
        "Let the site make these files, or correct `require` under `static` of the recipe."
    ),
    frozenset({"manifest-outside"}): (
        "Let `collect` put a folder of its own there in place of the link, or name another place "
        "with `manifest` under `static` of the recipe."
    ),
    _URL: "Correct LIFTLOCK_ASSETS_URL of the workers, then restart them.",
}


@dataclass(frozen=True)
class Failures:
    """Those of one release."""

    place: AssetPlace
    release: str

    def of(self, error: Refused | Crashed | AssetError) -> Failed:
        problems = of_error(error)
        match error:
            case Refused():
                return self._failed("assets-refused", problems, _advice(problems.first))
            case Crashed():
                hint = (
                    "Look at memory and disk of the worker's machine: free -m; df -h; dmesg | tail"
                )
                return self._failed("assets-build-failed", problems, hint)
        # Names store and key: the message of a problem does, where a key is to blame.
        passes = all(problem.code in _PASSING for problem in error.problems)
        code = "assets-store-unreachable" if passes else "assets-publish-failed"
        return self._failed(code, problems, error.hint or f"Look at the store: {self.place.store}")

    def unverified(self, problems: Sequence[Problem], damage: Damage | None = None) -> Failed:
        """With the damage in the store itself, if there is any."""
        if damage:
            hint = f"Remove what is damaged, then repeat the job: {damage.removal}"
            told = of_problems([*damage.problems, *problems])
            return self._failed("assets-publish-failed", told, hint)
        return self._failed("assets-unverified", of_problems(problems), self._of_serving(problems))

    def _of_serving(self, problems: Sequence[Problem]) -> str:
        codes = {problem.code for problem in problems}
        if codes <= _URL:
            return _ADVICE[_URL]
        url = self.place.base_url + quote(problems[0].file or "")
        hint = f"See what answers: curl -I {shlex.quote(url)}; compare with {_PLACE}."
        if _ALTERED in codes:
            return f"{hint} What the store has is right: the server or the CDN changes it."
        return hint

    def _failed(self, code: str, problems: Problems, hint: str) -> Failed:
        shown = problems.first[:_SHOWN]
        lines = [sentence(str(one["message"]), one.get("nearest", ())) for one in shown]
        if (more := problems.total - len(lines)) > 0:
            instance = self.place.base_url.rstrip("/").rpartition("/")[2]
            lines.append(f"and {more:,} more: liftlock assets show {instance} {self.release}")
        return Failed(Failure(code, CODES[code].title, hint), "\n".join(lines))


def _advice(problems: Sequence[Mapping[str, Any]]) -> str:
    found = {str(problem.get("code")) for problem in problems}
    fitting = (advice for codes, advice in _ADVICE.items() if found <= codes)
    return next(fitting, "Correct the files, or `static` of the recipe, then ask again.")
