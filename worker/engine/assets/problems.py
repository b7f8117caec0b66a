"""The problems of a release as its notes have them: the first, and how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.assets.building.report import MOST_TOLD
from worker.assets.problem import AssetError, Problem
from worker.engine.assets.build import Crashed, Refused


@dataclass(frozen=True)
class Problems:
    #: As JSON.
    first: Sequence[Mapping[str, Any]]
    total: int


def of_error(error: Refused | Crashed | AssetError) -> Problems:
    if isinstance(error, AssetError):
        return of_problems(error.problems)
    return Problems(error.problems[:MOST_TOLD], error.total)


def of_problems(problems: Sequence[Problem]) -> Problems:
    return Problems([problem.as_json() for problem in problems[:MOST_TOLD]], len(problems))
