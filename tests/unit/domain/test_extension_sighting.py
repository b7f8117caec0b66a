"""What a look at an extension has found, and how people read of it."""

import pytest

from app.domain import extension_sighting
from app.domain.extension_sighting import Sighting, read

NAMED = "missing: a.js\ndifferent: b.js"
SOURCE = {"package": "Stars", "version": "1.0", "url": None, "sha256": None}


def facts(stamp: str = "yes", media: str = "yes", said: str = "") -> dict[str, str]:
    about = extension_sighting.fact(2, "stars")
    return dict(zip(extension_sighting.reports(about), (stamp, media, said), strict=True))


def found(**values: str) -> Sighting:
    sighting = read(facts(**values), extension_sighting.fact(2, "stars"))
    assert sighting is not None
    return sighting


def test_with_its_stamp_and_all_its_media_it_is_whole() -> None:
    assert found().is_whole


@pytest.mark.parametrize(
    "values", [{"stamp": "no"}, {"media": "2", "said": "missing: a.js"}, {"media": "no"}]
)
def test_whatever_is_not_there_makes_it_incomplete(values: dict[str, str]) -> None:
    assert not found(**values).is_whole


def test_the_first_files_are_named_and_all_are_counted() -> None:
    names = "\t".join(f"missing: {number}.js" for number in range(11)) + "\t"
    sighting = found(media="12", said=names)
    assert (sighting.wrong, len(sighting.files), sighting.files[0]) == (12, 10, "missing: 0.js")


def test_a_name_that_was_cut_is_left_out() -> None:
    names = "\t".join(f"missing: {number}{'x' * 400}.js" for number in range(3))[:1_000]
    assert [len(name) for name in found(media="3", said=names).files] == [413, 413]


def test_what_a_host_says_is_shown_without_its_control_characters() -> None:
    assert found(media="1", said="missing: \x1ba.js\r").files == ("missing: a.js",)
    assert found(media="no", said="\x1bno folder").why == "no folder"


def test_of_another_app_server_nothing_is_known() -> None:
    assert read(facts(), extension_sighting.fact(3, "stars")) is None
    assert read({}, extension_sighting.fact(2, "stars")) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stamp": "no"}, "AppServer 2: The release has no stamp of stars 1.0."),
        (
            {"media": "1", "said": "missing: a.js"},
            "AppServer 2: 1 file of stars 1.0 is not there as in the package:\nmissing: a.js",
        ),
        (
            {"media": "2", "said": "missing: a.js\tdifferent: b.js"},
            f"AppServer 2: 2 files of stars 1.0 are not there as in the package:\n{NAMED}",
        ),
        (
            {"media": "no", "said": "there is no folder"},
            "AppServer 2: The media of stars 1.0 could not be compared: there is no folder",
        ),
    ],
)
def test_people_read_what_is_wrong(values: dict[str, str], said: str) -> None:
    assert found(**values).detail("stars 1.0", "AppServer 2") == said


def test_what_mends_it_says_all_that_was_said_before() -> None:
    settings = {"APP": "it's stars"}
    hint = extension_sighting.repair(
        "shop", "1.0", source=SOURCE, settings=settings, requires=["tags"]
    )
    assert hint.endswith(
        "liftlock extensions install shop Stars 1.0 --set 'APP=it'\"'\"'s stars'"
        " --requires tags --force"
    )


def test_an_archive_is_named_with_its_digest_and_a_wheel_by_its_digest() -> None:
    digest = {**SOURCE, "sha256": "ab"}
    more = {"settings": {}, "requires": ()}
    archive = extension_sighting.repair("shop", "1", source={**digest, "url": "https://x/"}, **more)
    assert "--archive https://x/ --sha256 ab --force" in archive
    wheel = extension_sighting.repair("shop", "1", source=digest, **more)
    assert "Stars 1 --sha256 ab --force" in wheel
