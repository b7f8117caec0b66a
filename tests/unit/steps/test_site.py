"""Names of folders on the host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.steps.site import Site


@pytest.mark.parametrize(
    ("revision", "folder"),
    [
        ("v1.2.3", "v1.2.3-7"),
        ("feature/login form", "feature-login-form-7"),
        ("../../etc", "etc-7"),
        ("v2; rm -rf /", "v2-rm--rf-7"),
        ("--", "revision-7"),
        ("", "revision-7"),
        ("a" * 100, "a" * 40 + "-7"),
    ],
)
def test_a_release_is_named_after_its_revision(revision: str, folder: str) -> None:
    assert Site("site", 7, revision).release == folder


@given(st.text())
def test_no_revision_leads_out_of_the_releases(revision: str) -> None:
    release = Site("site", 7, revision).release
    assert "/" not in release
    assert release.isascii()
    assert not release.startswith((".", "-"))
    assert release.endswith("-7")
