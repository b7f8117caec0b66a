"""What a host says of its files is read with suspicion: names and links may be anything."""

import pytest

from worker.remote.host import Listed, Listing
from worker.remote.listing import _Reading

SUM = "0" * 64


def read(*lines):
    said = "".join(f"{line}\n" for line in ("^ /base/r", "^ /base/r/public", *lines))
    return _Reading().listing(said.encode(errors="surrogateescape"))


def test_a_name_with_a_backslash_is_told_by_two_programs_in_two_ways():
    found = read("= 3 ./a\\b", f"\\{SUM}  ./a\\\\b")
    assert found == Listing((Listed("a\\b", 3, SUM),), ())


def test_a_file_without_a_sum_could_not_be_read():
    assert read("= 3 ./a").left_out == ("a: it cannot be read",)


@pytest.mark.parametrize("name", ["./../x", "./a/../../x", "/etc/passwd"])
def test_a_name_that_leads_out_of_the_folder_is_no_file(name):
    assert read(f"= 3 {name}", f"{SUM}  {name}").files == ()


@pytest.mark.parametrize(
    ("target", "is_file"),
    [("/base/r/x", True), ("/base/r/public/x", True), ("/base/rx", False), ("/base", False)],
)
def test_a_link_is_a_file_when_it_leads_into_the_release(target, is_file):
    found = read("@ ./a", f"> {target}", "= 3 ./a", f"{SUM}  ./a")
    assert bool(found.files) is is_file
    assert bool(found.left_out) is not is_file


def test_links_whose_targets_cannot_be_told_apart_are_left_out_and_the_next_group_is_not():
    group = ["@ ./a", "@ ./b", "> /base/r/x", "@ ./c", "> /base/r/y"]
    sums = [line for name in "abc" for line in (f"= 3 ./{name}", f"{SUM}  ./{name}")]
    found = read(*group, *sums)
    assert found.files == (Listed("c", 3, SUM),)
    assert [sentence.partition(":")[0] for sentence in found.left_out] == ["a", "b"]


@pytest.mark.parametrize(
    "said", ["/" * 64, ("/" * 40 + "tmp/master.key").rjust(64, "/"), "0" * 63, "G" * 64, "A" * 64]
)
def test_a_sum_that_is_no_sha256_is_none(said):
    found = read("= 3 ./a", f"{said}  ./a")
    assert found == Listing((), ("a: it cannot be read",))


@pytest.mark.parametrize("name", ["a", "./css//a", "././a", "./css/./a", "./", "./css/"])
def test_a_name_that_is_another_spelling_of_a_path_is_no_file(name):
    """Two spellings would be one file here, with the contents of both."""
    assert read(f"= 3 {name}", f"{SUM}  {name}").files == ()


@pytest.mark.parametrize("size", ["-3", "", "many", "9" * 30, "\u0663"])
def test_a_size_that_is_none_makes_a_file_that_cannot_be_read(size):
    found = read(f"= {size} ./a", f"{SUM}  ./a")
    assert found == Listing((), ("a: it cannot be read",))


def test_a_name_with_a_control_character_is_no_file_whatever_the_host_says():
    found = read("= 3 ./a\0b", f"{SUM}  ./a\0b")
    assert found.files == ()
    assert found.left_out == ("a\N{REPLACEMENT CHARACTER}b: its name has a control character",)


def test_a_reason_that_nobody_knows_leaves_the_file_out():
    assert read("! sleepy ./a").left_out == ("a: it cannot be read",)
