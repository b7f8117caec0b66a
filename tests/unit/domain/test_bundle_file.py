"""Bundle files, and the same keys in the `static` section of a recipe."""

import json

import pytest

from app.domain import bundle_file, recipe
from app.domain.recipe_source import InvalidRecipe

GOOD = """\
bundles:
  site:
    output: css/site.css
    sources: [css/base.css, "css/parts/*.css"]
  app:
    output: js/app.js
    sources: [js/a.js]
    minify: false
compilers:
  - match: "*.less"
    run: lessc {in} {out}
    extension: .css
"""


def errors(text):
    with pytest.raises(InvalidRecipe) as caught:
        bundle_file.parse(text)
    return [str(error) for error in caught.value.errors]


def test_bundles_and_compilers_are_read():
    found = bundle_file.parse(GOOD)
    assert found.bundles["site"].sources == ("css/base.css", "css/parts/*.css")
    assert (found.bundles["site"].minify, found.bundles["app"].minify) == (True, False)
    assert found.compilers[0].run == "lessc {in} {out}"


def test_json_is_read_as_well():
    found = bundle_file.parse(GOOD)
    assert bundle_file.parse(json.dumps(found.model_dump(mode="json"), indent=1)) == found


@pytest.mark.parametrize("text", ["{}", "bundles: {}"])
def test_a_file_that_wants_nothing_is_no_error(text):
    assert bundle_file.parse(text).bundles == {}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("sources: [js/a.js]", "source: [js/a.js]", "line 7, /bundles/app/source: unknown key"),
        ("sources: [js/a.js]", "sources: []", "`sources` wants at least one entry"),
        ("minify: false", "minify: no", "line 8, /bundles/app/minify: `minify` wants true or"),
        ("output: js/app.js", "output: js/app.txt", "line 6, /bundles/app/output: the text"),
        ("output: js/app.js", "output: /js/app.js", "line 6, /bundles/app/output: the text"),
        ("output: js/app.js", "output: a/../app.js", "output: the file must stay below the root"),
        ("output: js/app.js", "output: css/site.css", "the bundle `site` makes `css/site.css`"),
        ("lessc {in} {out}", "lessc {in}", "line 11, /compilers/0/run: the command does not name"),
        ("lessc {in} {out}", "lessc", "does not name {in} and {out}"),
        ("lessc {in} {out}", "'\"lessc {in} {out}'", "not a command line: No closing quotation"),
        ("lessc {in} {out}", "'{in} {out}'", "the command begins with a file"),
        ("extension: .css", "extension: css", "line 12, /compilers/0/extension: the text 'css'"),
        ("  site:", "  Site:", "line 2"),
        ("minify: false", "output: x.js", "written twice"),
        ("minify: false", 'output2: "\\0"', "contains a character that cannot be stored"),
        ("bundles:", "bundels:", "unknown key `bundels`; did you mean `bundles`?"),
    ],
)
def test_an_error_tells_line_and_key(before, after, message):
    [first, *_] = found = errors(GOOD.replace(before, after))
    assert any(message in error for error in found), first


def test_a_text_that_is_no_mapping_is_refused():
    assert "wants a mapping" in errors("- a")[0]


def test_a_recipe_is_checked_in_the_same_way():
    text = "name: a\nstart: {run: x}\ncheck: {}\nstatic:\n  compilers:\n"
    text += "    - {match: '*.less', run: lessc, extension: .css}\n"
    with pytest.raises(InvalidRecipe, match="line 6, /static/compilers/0/run: the command"):
        recipe.parse(text)


def test_compilers_of_a_recipe_need_a_folder_to_work_in():
    text = "name: a\nstart: {run: x}\ncheck: {}\nstatic:\n  compilers:\n"
    text += "    - {match: '*.less', run: 'lessc {in} {out}', extension: .css}\n"
    with pytest.raises(InvalidRecipe, match="line 5, /static/compilers: compilers need `path`"):
        recipe.parse(text)
