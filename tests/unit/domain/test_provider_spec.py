"""LIFTLOCK_PROVIDERS: what an operator says about programs that make machines."""

import pytest

from app.domain.provider_spec import OrphanPolicy, read_providers


@pytest.mark.parametrize("text", ["", " ", "{}"])
def test_nothing_said_is_no_provider(text):
    assert read_providers(text) == {}


def test_a_program_is_enough():
    found = read_providers('{"cloud": {"program": ["/opt/machines", "--size", "2"]}}')["cloud"]
    assert found.program == ["/opt/machines", "--size", "2"]
    assert (found.variables, found.orphans) == ([], OrphanPolicy.REPORT)
    assert (found.timeouts.create, found.timeouts.destroy) == (3600, 600)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[]", "LIFTLOCK_PROVIDERS is wrong"),
        ('{"cloud": {}}', "cloud.program"),
        ('{"cloud": {"program": []}}', "cloud.program"),
        ('{"cloud": {"program": ["x"], "orphans": "sell"}}', "cloud.orphans"),
        ('{"cloud": {"program": ["x"], "secret": "hunter2"}}', "cloud.secret"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(text, where):
    with pytest.raises(ValueError, match=r"docs/providers\.md") as refused:
        read_providers(text)
    assert where in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("action", ["create", "destroy", "list", "boot"])
@pytest.mark.parametrize("seconds", ["0", "-1", "86401", '"soon"'])
def test_a_time_that_is_no_time_at_all_or_without_end_is_refused(action, seconds):
    text = f'{{"cloud": {{"program": ["x"], "timeouts": {{"{action}": {seconds}}}}}}}'
    with pytest.raises(ValueError, match=rf"is wrong at cloud\.timeouts\.{action}: "):
        read_providers(text)
