"""Where an instance's files live on a host, relative to the host's base folder."""

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def slug(revision: str) -> str:
    """A revision as one path segment: `feature/x` becomes `feature-x`."""
    return _UNSAFE.sub("-", revision).strip("-.")[:40] or "revision"


def app_dir(instance: str) -> str:
    return f"apps/{instance}"


def release_dir(instance: str, revision: str, number: int) -> str:
    return f"{app_dir(instance)}/releases/{slug(revision)}-{number}"


def run_dir(instance: str, number: int) -> str:
    return f"{app_dir(instance)}/run/{number}"
