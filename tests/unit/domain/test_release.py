import pytest

from app.domain.release import release_dir, slug


@pytest.mark.parametrize(
    ("revision", "segment"),
    [
        ("v1.2", "v1.2"),
        ("feature/login", "feature-login"),
        ("../../etc", "etc"),
        ("$(reboot)", "reboot"),
        ("///", "revision"),
        ("a" * 99, "a" * 40),
    ],
)
def test_a_revision_becomes_one_safe_path_segment(revision, segment):
    assert slug(revision) == segment


def test_two_app_servers_of_one_revision_have_folders_of_their_own():
    assert release_dir("shop", "v1", 1) != release_dir("shop", "v1", 2)
