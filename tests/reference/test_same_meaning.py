"""What is minified means the same: to a browser, by the rules it makes of a style sheet, and to
Node, by what a script computes.
"""

import json
import random
import subprocess

import pytest

from tests.reference.browser import differences
from tests.reference.minifier_traps import ESCAPES, PIECES, SCRIPTS, TRAPS, WRONG
from tests.support import reference
from worker.assets.bundles.minifying import minified

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

RUN = """
const vm = require("vm");
const pairs = JSON.parse(require("fs").readFileSync(0, "utf8"));
const run = (text) => {
  try { const box = { x: null }; vm.runInNewContext(text, box); return JSON.stringify(box.x) }
  catch (error) { return error.name }
};
console.log(JSON.stringify(pairs.map(([before, after]) => [run(before), run(after)])));
"""


def results(scripts):
    """What each script computes, before and after."""
    asked = json.dumps([(text, minified(text, "js")) for text in scripts])
    command = ["node", "-e", RUN]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    return dict(zip(scripts, json.loads(done.stdout), strict=True))


def style_sheets(tree):
    found = {path for folder in reference.sources(tree) for path in folder.rglob("*.css")}
    return sorted(path for path in found if path.is_file())


def changed(texts, folder):
    """By text, the first rule that is another one when it is minified."""
    told = differences([(text, minified(text, "css")) for text in texts], folder)
    return {text: found for text, found in zip(texts, told, strict=True) if isinstance(found, list)}


@pytest.mark.parametrize(
    "tree", ["bootstrap", "fontawesome", "tinymce", "monaco", *reference.PACKAGES]
)
def test_a_browser_reads_the_same_rules_in_known_packages(tree, tmp_path):
    texts = {path.read_bytes().decode(errors="replace") for path in style_sheets(tree)}
    assert texts
    assert changed(sorted(texts), tmp_path) == {}


def test_a_browser_reads_the_same_rules_where_minifiers_fail(tmp_path):
    lines = [line for line in TRAPS.replace("\\\n", "\\\0").splitlines() if line]
    texts = [TRAPS, *(line.replace("\\\0", "\\\n") for line in lines)]
    assert changed(texts, tmp_path) == {}


def test_a_browser_reads_the_same_rules_in_texts_of_any_kind(tmp_path):
    chance = random.Random(5)
    texts = ["".join(chance.choices(PIECES, k=chance.randrange(2, 14))) for _ in range(6000)]
    texts += [f"a {{ {text} }} z {{ top: 0 }}" for text in texts[:3000]]
    texts += [f"@media screen {{ {text} }} z {{ top: 0 }}" for text in texts[:3000]]
    assert changed(texts, tmp_path) == {}


def test_the_comparison_sees_what_minifiers_do_wrong(tmp_path):
    assert [
        pair
        for pair, found in zip(WRONG, differences(WRONG, tmp_path), strict=True)
        if not isinstance(found, list)
    ] == []


def test_the_browser_understands_the_traps(tmp_path):
    [rules] = differences([(TRAPS, TRAPS)], tmp_path)
    assert rules == 31


def test_scripts_compute_the_same():
    assert {text: pair for text, pair in results(SCRIPTS).items() if pair[0] != pair[1]} == {}


def test_strings_with_escapes_are_the_same():
    chance = random.Random(7)
    texts = ["".join(chance.choices(ESCAPES, k=chance.randrange(1, 9))) for _ in range(3000)]
    joined = [
        f"""'{text}'{chance.choice([",", "+"])}"{other}\""""
        for text, other in zip(texts, reversed(texts), strict=True)
    ]
    found = results([f"x = [{', '.join(joined[at : at + 50])}]" for at in range(0, 3000, 50)])
    assert {text: pair for text, pair in found.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize("name", ["tinymce.js", "models/dom/model.js"])
def test_escapes_stay_so_that_no_charset_is_needed(name):
    text = (reference.npm_package("tinymce") / name).read_text()
    assert r"\u" in text
    assert minified(text, "js").isascii()
