"""What holds for any tree: names, references, and nothing that depends on chance."""

import hashlib
import json
import os
import posixpath
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.static_trees import build_tree, hashed, read_tree, write_tree
from worker.assets.building.graph import components

PATHS = [
    f"{folder}{name}"
    for folder in ("", "a/", "a/b/", "ü/")
    for name in ("x.css", "y.css", "z.js", "w.js", "i.png", "a b.svg")
]
REFERENCE = re.compile(r"""["(]([^"()]+\.(?:css|js|png|svg))["?#)]""")


@st.composite
def trees(draw):
    """Texts with references to any of the files, so that there are chains and cycles."""
    chosen = draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=10, unique=True))
    return {path: draw(content(path, sorted(chosen))) for path in chosen}


def content(path, targets):
    if path.endswith(".css"):
        line = '@import "{}";'
        targets = [target for target in targets if target.endswith(".css")]
        images = 'a{{b:url("{}?v=1#x")}}'
    elif path.endswith(".js"):
        line = images = 'import "./{}";'
        targets = [target for target in targets if target.endswith(".js")]
    else:
        return st.text(max_size=3)
    written = [line.format(way(path, target)) for target in targets]
    written += [images.format(way(path, target)) for target in targets]
    return st.lists(st.sampled_from(written or ["/**/"]), max_size=4).map("\n".join)


def way(path, target):
    return posixpath.relpath(target, posixpath.dirname(path) or ".")


def references(path, text):
    """The files that a text refers to, below the root."""
    folder = posixpath.dirname(path)
    return [posixpath.normpath(posixpath.join(folder, it)) for it in REFERENCE.findall(text)]


def in_cycles(files):
    graph = {path: references(path, text) for path, text in files.items() if "/*" not in text}
    return {
        path
        for group in components(graph)
        for path in group
        if len(group) > 1 or path in graph[path]
    }


@given(trees())
@settings(deadline=None, max_examples=60)
def test_names_are_the_hashes_of_the_bytes_outside_cycles(files):
    with tempfile.TemporaryDirectory() as folder:
        built = build_tree(Path(folder), files)
        for path in files.keys() - in_cycles(files):
            digest = hashlib.md5(hashed(built, path)).hexdigest()[:12]
            assert f".{digest}." in built.manifest.files[path].name


@given(trees())
@settings(deadline=None, max_examples=60)
def test_every_reference_of_a_hashed_file_leads_to_a_hashed_file(files):
    with tempfile.TemporaryDirectory() as folder:
        built = build_tree(Path(folder), files)
        names = {asset.name for asset in built.manifest.files.values()}
        for path in files:
            if path.endswith((".css", ".js")):
                assert set(references(path, hashed(built, path).decode())) <= names


@given(trees())
@settings(deadline=None, max_examples=30)
def test_the_manifest_has_exactly_the_files_of_the_tree(files):
    with tempfile.TemporaryDirectory() as folder:
        assert build_tree(Path(folder), files).manifest.files.keys() == files.keys()


@given(trees())
@settings(deadline=None, max_examples=30)
def test_the_same_files_give_the_same_bytes(files):
    with tempfile.TemporaryDirectory() as folder:
        build_tree(Path(folder, "1"), files)
        build_tree(Path(folder, "2"), dict(reversed(files.items())))
        assert read_tree(Path(folder, "1/out")) == read_tree(Path(folder, "2/out"))


#: The real command; nothing is too small for it to be shared among processes.
COMMAND = """
import sys
from worker.assets import __main__
from worker.assets.building import build

build._SMALL = 0
sys.exit(__main__.main(["build", *sys.argv[1:]]))
"""


def made_by_command(source, out, *options, **environment):
    """The output, in a process of its own."""
    subprocess.run(
        [sys.executable, "-c", COMMAND, source, out, *options],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    )
    return read_tree(out)


def big_tree():
    """With chains, cycles and images."""
    made = random.Random(6)
    files = {f"img/{n}.png": made.randbytes(300) for n in range(100)}
    for n in range(150):
        styles = "".join(f"a{{b:url(../img/{made.randrange(100)}.png)}}\n" for _ in range(50))
        files[f"css/{n}.css"] = f'@import "{made.randrange(150)}.css";\n{styles}'
    return files | {f"js/{n}.js": f'import "./{(n + 1) % 7}.js";\n' * 500 for n in range(7)}


@pytest.mark.parametrize(
    "difference",
    [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"},
    ],
)
def test_the_output_does_not_depend_on_the_process(tmp_path, difference):
    files = big_tree()
    one = write_tree(tmp_path / "one", {**files, "ü.css": ""})
    two = write_tree(tmp_path / "two", dict(reversed({**files, "ü.css": ""}.items())))
    plain = made_by_command(one, tmp_path / "a", "--compress", "gzip,br,zstd", "--jobs", "1")
    other = made_by_command(
        two, tmp_path / "b", "--compress", "gzip,br,zstd", "--jobs", "3", **difference
    )
    assert plain == other


MEASURED = """
import json, re, sys
from pathlib import Path
from worker.assets.building.build import build
from worker.assets.building.options import Options

sources, out, codings = [Path(sys.argv[1])], Path(sys.argv[2]), tuple(sys.argv[3:])
built = build(sources, out, Options(jobs=1, compress=codings))
most = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({"bytes": built.bytes, "most": most * 1024}))
"""


@pytest.mark.parametrize("codings", [(), ("zstd",)])
def test_memory_stays_small_with_a_huge_file(tmp_path, codings):
    size = 300_000_000
    source = write_tree(tmp_path / "source", {"a.css": "a{b:url(film.bin)}"})
    with (source / "film.bin").open("wb") as film:
        film.write(b"begin")
        film.truncate(size)
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, source, tmp_path / "out", *codings],
        check=True,
        capture_output=True,
        text=True,
    )
    measured = json.loads(run.stdout)
    assert measured["bytes"] > size
    assert measured["most"] < 150_000_000
