"""An upload is a wheel when its name and its metadata say the same."""

import io
import zipfile

import pytest

from app.domain import wheel as wheels
from app.domain.wheel import NoWheel, Wheel
from tests.support.wheels import METADATA, filename, wheel


def read(name="guestbook_stars", version="1.2.0", **members):
    return wheels.read(filename(name, version), wheel(name, version, **members))


def test_a_wheel_says_whose_it_is():
    assert read() == Wheel("guestbook-stars", "1.2.0")


@pytest.mark.parametrize(
    "name",
    [
        "guestbook_stars-1.2.0-py2.py3-none-any.whl",
        "guestbook_stars-1.2.0-1-py3-none-any.whl",
        "guestbook_stars-1.2.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "Guestbook.Stars-1.2.0-py3-none-any.whl",
    ],
)
def test_names_as_builds_give_them_are_taken(name):
    assert wheels.read(name, wheel()).name == "guestbook-stars"


@pytest.mark.parametrize("version", ["1.0rc1", "1!2.0", "1.0+local.1", "2.0.post1", "2026.11"])
def test_versions_as_builds_write_them_are_taken(version):
    assert read(version=version).version == version


def test_a_version_may_be_written_with_a_minus_in_its_metadata():
    said = METADATA.format(name="guestbook-stars", version="1.0-1")
    assert read(version="1.0_1", METADATA=said).version == "1.0-1"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "guestbook_stars-1.2.0.tar.gz",
        "guestbook_stars-1.2.0.whl",
        "guestbook_stars-1.2.0-py3-none-any.whl\n",
        "../guestbook_stars-1.2.0-py3-none-any.whl",
        "a/guestbook_stars-1.2.0-py3-none-any.whl",
        "-r-1.2.0-py3-none-any.whl",
        "guestbook stars-1.2.0-py3-none-any.whl",
        "guestbook_stars-x-py3-none-any.whl",
        "guestbook_stars-1.2.0-a-b-c-d-e.whl",
        "guestbook_stärs-1.2.0-py3-none-any.whl",
        f"guestbook_stars-1.2.0-py3-none-{'a' * 200}.whl",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(NoWheel, match="is no name of a wheel"):
        wheels.read(name, wheel())


@pytest.mark.parametrize(
    ("name", "version"), [("other", "1.2.0"), ("guestbook_stars", "1.3"), ("", ""), ("x", "")]
)
def test_metadata_of_another_one_are_refused(name, version):
    with pytest.raises(NoWheel, match=r"its name says guestbook_stars 1\.2\.0, and its metadata"):
        read(METADATA=METADATA.format(name=name, version=version))


def test_metadata_that_say_nothing_are_refused():
    with pytest.raises(NoWheel, match="its metadata None None"):
        read(METADATA="")


def test_metadata_that_are_no_text_are_refused():
    with pytest.raises(NoWheel):
        read(METADATA=b"\xff\xfe\x00Name")


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", wheel()[:-30], b"x" + wheel()])
def test_what_is_no_archive_is_refused(content):
    with pytest.raises(NoWheel):
        wheels.read(filename(), content)


def test_every_cut_and_every_changed_byte_is_a_wheel_or_none():
    """Whatever is broken in it, nothing but NoWheel comes out."""
    good = wheel()
    for place in range(len(good)):
        for bad in (good[:place], good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]):
            try:
                found = wheels.read(filename(), bad)
            except NoWheel:
                continue
            assert found.name == "guestbook-stars"


@pytest.mark.parametrize("member", ["METADATA", "WHEEL"])
def test_an_archive_without_the_files_of_a_wheel_is_refused(member):
    with pytest.raises(NoWheel, match=member):
        read(**{member: None})


def test_an_archive_with_the_metadata_of_two_is_refused():
    with pytest.raises(NoWheel, match="has 2 files"):
        read(**{"other-1.dist-info/METADATA": "Name: other\n"})


def test_metadata_below_another_folder_are_not_its_own():
    with pytest.raises(NoWheel, match="has 0 files"):
        read(METADATA=None, **{"a/guestbook_stars-1.2.0.dist-info/METADATA": "Name: x\n"})


def test_metadata_that_would_unpack_without_end_are_refused():
    with pytest.raises(NoWheel, match="longer than"):
        read(METADATA=METADATA.format(name="guestbook_stars", version="1.2.0") + "x" * 2**21)


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_metadata_that_can_only_be_unpacked_whole_are_refused(packed):
    with pytest.raises(NoWheel, match="packed"):
        read(packed=packed)


def test_an_encrypted_archive_is_refused():
    raw = bytearray(wheel())
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = 0
        while (found := raw.find(mark, start)) >= 0:
            raw[found + flags] |= 1
            start = found + 4
    with pytest.raises(NoWheel, match="encrypted"):
        wheels.read(filename(), bytes(raw))


def test_an_archive_with_members_without_end_is_refused():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(50_001):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    with pytest.raises(NoWheel, match="more than 50000 members"):
        wheels.read(filename(), made.getvalue())
