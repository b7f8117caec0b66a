"""The name of an asset release: short, fit for a key, and never one that was used before."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.asset_release import release_name
from app.models.base import new_id

SERVER = UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11")
COMMIT = "8f2b6c93d1a45c0a1e7d42b98f2b6c93d1a45c0a"


def test_an_instance_made_anew_begins_with_number_one_and_with_names_of_its_own() -> None:
    names = {release_name(COMMIT, 1, new_id()) for _ in range(100)}
    assert len(names) == 100


@pytest.mark.parametrize(
    ("commit", "shown"),
    [
        (COMMIT, "8f2b6c93d1a4"),
        (COMMIT + COMMIT[:24], "8f2b6c93d1a4"),
        ("2.0.1.dev20261121", "2.0.1.dev20261121"),
        ("1.0+local/build", "1.0-local-build"),
        (".hidden", "hidden"),
    ],
)
def test_hashes_are_shortened_and_versions_are_not(commit: str, shown: str) -> None:
    assert release_name(commit, 3, SERVER) == f"{shown}-3-0a6b8c11"


@given(st.text(min_size=1), st.integers(1, 10**9), st.uuids())
def test_it_fits_into_a_key_and_into_an_address(commit: str, number: int, server: UUID) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", release_name(commit, number, server))
