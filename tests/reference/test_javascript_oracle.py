"""What Liftlock finds in JavaScript is what a parser finds, in packages that many sites use."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import reference
from worker.assets.readers.javascript import find
from worker.assets.readers.javascript_lexer import Lexer
from worker.assets.readers.reference import Form

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).with_name("javascript_oracle.mjs")
PARSER = ("acorn@8.19.0", "acorn-walk@8.3.5")
PACKAGES = (
    *("react-dom@19.3.1", "vue@3.5.45", "lodash-es@4.18.1", "d3@7.9.2", "pdfjs-dist@5.6.205"),
    *("codemirror@6.65.7", "preact@11.2.0", "svelte@5.57.3", "core-js@3.51.0", "terser@5.51.2"),
)
AROUND = "".join(map(chr, range(0x21)))


def installed(*packages):
    def make(folder):
        folder.mkdir()
        command = ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder)]
        subprocess.run([*command, *packages], check=True, capture_output=True)

    return reference.once(f"npm-{reference.digest(*packages)}", make)


def files(tree):
    folders = reference.sources(tree) if tree in reference.NPM else [installed(*PACKAGES)]
    found = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in {".js", ".mjs", ".cjs"}
    ]
    return sorted(path for path in found if path.is_file())


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """What the parser finds in each of the files."""
    folder = tmp_path_factory.mktemp("oracle")
    (folder / "node_modules").symlink_to(installed(*PARSER) / "node_modules")
    script = shutil.copy(SCRIPT, folder)

    def parse(paths):
        names = "\n".join(map(str, paths))
        command = ["node", str(script)]
        done = subprocess.run(command, input=names, capture_output=True, text=True, check=True)
        return zip(paths, map(json.loads, done.stdout.splitlines()), strict=True)

    return parse


def units(text, position):
    """The position in UTF-16 units, as the parser counts."""
    return len(text[:position].encode("utf-16-le")) // 2


def expected(told):
    """Those of the parser's finds that name a file which a build may rename."""
    for what, place, name in told:
        url = name.strip(AROUND)
        starts = {"module": ("./", "../", "/"), "worker": "/"}.get(what, "")
        is_file = re.split("[?#]", url)[0].rpartition("/")[2] not in {"", ".", ".."}
        if what == "computed":
            yield ("computed", place)
        elif url.startswith(starts) and is_file:
            yield (url, place)


def found_in(text):
    found = find(text, modules=True)
    for item in found.references:
        if item.form is not Form.JS_MAP:
            yield (item.url, units(text, item.end))
    for item in found.unknowable:
        yield ("computed", units(text, item.start))


@pytest.mark.parametrize("tree", [*reference.NPM, "packages"])
def test_the_same_references_are_found_as_by_a_parser(tree, parsed):
    different = {}
    for path, told in parsed(files(tree)):
        text = path.read_bytes().decode(errors="replace")
        ours, theirs = set(found_in(text)), set(expected(told))
        if ours != theirs:
            different[str(path)] = ours ^ theirs
    assert different == {}


@pytest.mark.parametrize("tree", [*reference.NPM, "packages"])
def test_every_file_is_read_to_its_end(tree):
    texts = {path: path.read_bytes().decode(errors="replace") for path in files(tree)}
    assert [path for path, text in texts.items() if not Lexer(text).is_code(len(text))] == []
