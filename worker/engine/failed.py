"""The failure of an action whose step knows how to tell it."""

from worker.steps.step import Failure


class Failed(Exception):
    """An action failed in a way that its step knows how to tell."""

    def __init__(self, failure: Failure, detail: str, exit_code: int | None = None) -> None:
        super().__init__(detail)
        self.failure, self.detail, self.exit_code = failure, detail, exit_code
