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
