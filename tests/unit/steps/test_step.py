"""The values that steps are made of."""

from worker.steps.step import Command


def test_a_secret_never_takes_the_place_of_a_value_or_path_of_its_command() -> None:
    command = Command("x", env={"A": "1"}, paths={"B": "b"}, secrets=("A", "B", "C"))
    assert command.secrets == ("C",)
