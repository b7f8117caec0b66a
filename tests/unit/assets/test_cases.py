"""The shared conformance cases, byte for byte; the outputs were recorded from Django 6.1.3."""

import json
from pathlib import Path

import pytest

from tests.support.static_trees import build_tree, read_tree

CASES = json.loads((Path(__file__).parents[2] / "cases/static-files.json").read_text())["cases"]


@pytest.mark.parametrize("name", CASES)
def test_the_output_is_the_recorded_one(name, tmp_path):
    case = CASES[name]
    wanted = {item["name"]: item["content"].encode() for item in case["expect"].values()}
    build_tree(
        tmp_path,
        case["files"],
        js_modules=case.get("js_modules", False),
        lenient=case.get("lenient", False),
        hashed_only=True,
    )
    made = read_tree(tmp_path / "out")
    assert made.pop("staticfiles.json") == json.dumps(case["manifest"]).encode()
    del made["assets.json"]
    assert made == wanted
