"""App servers are asked before they go into service, unless a benchmark's test says otherwise."""

from app.settings import Settings


def test_app_servers_are_asked_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("LIFTLOCK_TEST_SKIP_HEALTH_GATE", raising=False)
    assert not Settings().test_skip_health_gate


def test_the_flag_of_the_benchmark_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("LIFTLOCK_TEST_SKIP_HEALTH_GATE", "true")
    assert Settings().test_skip_health_gate
