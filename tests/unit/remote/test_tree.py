"""What is sent to a host, and what of it a host has already."""

import hashlib
import io
import os
import tarfile

import pytest

from worker.remote import tree
from worker.remote.errors import SourceRefused


def _listing(*files):
    """What a host says that has these: (kind, name, content)."""
    kinds = b"".join(b"%s ./%s\n" % (kind, name) for kind, name, _ in files)
    sums = b"".join(
        hashlib.sha256(content).hexdigest().encode() + b"  ./" + name + b"\n"
        for kind, name, content in files
        if kind != b"d"
    )
    return kinds + sums


def _names(entries):
    return [entry.path for entry in entries]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("A")
    (folder / "sub/b").write_text("B")
    return folder


def test_a_host_without_anything_lacks_everything(source):
    found = tree.read(source, "to")
    assert found.files == 2
    assert _names(found.missing(b"")) == ["a", "sub", "sub/b"]


def test_a_host_with_the_same_lacks_nothing(source):
    listing = _listing((b"-", b"a", b"A"), (b"d", b"sub", b""), (b"-", b"sub/b", b"B"))
    assert tree.read(source, "to").missing(listing) == []


@pytest.mark.parametrize(
    "there",
    [(b"-", b"a", b"another"), (b"x", b"a", b"A"), (b"d", b"a", b"")],
    ids=["content", "executable", "folder"],
)
def test_what_differs_is_missing(source, there):
    listing = _listing(there, (b"d", b"sub", b""), (b"-", b"sub/b", b"B"))
    assert _names(tree.read(source, "to").missing(listing)) == ["a"]


def test_a_backslash_in_a_name_is_understood_from_gnu_and_from_busybox(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a\\x2d").write_text("A")
    digest = hashlib.sha256(b"A").hexdigest().encode()
    for line in (b"\\" + digest + b"  ./a\\\\x2d", digest + b"  ./a\\x2d"):
        listing = b"- ./a\\x2d\n" + line + b"\n"
        assert tree.read(source, "to").missing(listing) == []


def test_one_file_goes_under_the_name_it_gets(source):
    found = tree.read(source / "a", "apps/x/renamed")
    assert (found.folder, _names(found.entries)) == ("apps/x", ["renamed"])
    assert tree.read(source / "a", "renamed").folder == "."


@pytest.mark.parametrize("target", ["/etc/passwd", "a", "nowhere"])
def test_a_symbolic_link_is_refused_by_name(source, target):
    (source / "sub/link").symlink_to(target)
    with pytest.raises(SourceRefused, match=r"sub/link.* symbolic link"):
        tree.read(source, "to")


def test_a_pipe_is_refused(source):
    os.mkfifo(source / "pipe")
    with pytest.raises(SourceRefused, match=r"pipe.* neither a file nor a folder"):
        tree.read(source, "to")


def test_a_line_break_in_a_name_is_refused_and_not_printed(source):
    (source / "two\nlines").touch()
    with pytest.raises(SourceRefused, match="line break") as caught:
        tree.read(source, "to")
    assert "\n" not in caught.value.detail


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceRefused, match=r"gone.* cannot be read: No such file"):
        tree.read(tmp_path / "gone", "to")


def test_a_file_that_shrinks_while_it_is_read_is_refused(source):
    entries = tree.read(source, "to").missing(b"")
    (source / "sub/b").write_text("")
    with pytest.raises(SourceRefused, match="became shorter"):
        list(tree.pack(entries))


@pytest.mark.parametrize("size", [0, 1, 511, 512, 1024 * 1024 - 1, 3 * 1024 * 1024 + 7])
def test_a_packed_file_comes_out_as_it_was(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    chunks = list(tree.pack(tree.read(tmp_path / "file", "file").missing(b"")))
    assert all(chunks)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        assert archive.getnames() == ["paths", "tree", "tree/file", "digest"]
        assert archive.extractfile("tree/file").read() == content
        sums = hashlib.sha256(hashlib.sha256(content).hexdigest().encode() + b"\n").hexdigest()
        assert archive.extractfile("digest").read() == f"{sums}\n".encode()


def test_nothing_of_this_machine_but_content_mode_and_time_is_packed(source):
    os.utime(source / "a", (1, 1_700_000_000))
    (source / "a").chmod(0o4711)
    packed = b"".join(tree.pack(tree.read(source, "to").missing(b"")))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.getmember("tree/a")
    assert (member.mode, member.mtime) == (0o755, 1_700_000_000)
    assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
