"""Bundles: order, names, scripts that must not change each other, and minifying."""

from pathlib import Path

import pytest

from app.domain.recipe_static import Bundle
from tests.support.bundle_sites import BundleSite, plain


@pytest.fixture
def site(tmp_path):
    return BundleSite(tmp_path)


# Which files, in which order


def test_files_come_in_the_order_of_the_list(site):
    site.write("b.css", "b{}")
    site.write("a.css", "a{}")
    assert site.text("all.css", "b.css", "a.css") == "b{}\na{}\n"


def test_what_a_pattern_finds_is_sorted_and_each_file_comes_once(site):
    for name in ("c", "a", "b"):
        site.write(f"css/{name}.css", f"{name}{{}}")
    assert site.text("all.css", "css/b.css", "css/*.css", "css/a.css") == "b{}\na{}\nc{}\n"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("css/*.css", "1"),
        ("css/**/*.css", "123"),
        ("**/deep/*", "3"),
        ("css/*/two.css", "2"),
        ("css/[!t]*.css", "1"),
        ("css/on?.css", "1"),
    ],
)
def test_a_star_stays_in_its_folder_and_two_do_not(site, pattern, found):
    site.write("css/one.css", "1")
    site.write("css/more/two.css", "2")
    site.write("css/more/deep/three.css", "3")
    site.write("css/more/deep/three.png", "no style")
    assert "".join(sorted(site.text("all.css", pattern).replace("\n", ""))) == found


def test_a_name_with_brackets_is_first_of_all_a_name(site):
    site.write("a[1].css", "right{}")
    site.write("a1.css", "wrong{}")
    assert site.text("all.css", "a[1].css") == "right{}\n"


def test_a_pattern_does_not_find_what_bundles_make(site):
    site.write("js/a.js", "a()")
    site.write("js/all.js", "left over from another build")
    assert site.text("js/all.js", "js/*.js") == "a()"


def test_a_bundle_takes_the_place_of_a_file_of_the_sources(site):
    site.write("a.css", "a{}")
    site.write("all.css", "old{}")
    assert site.text("all.css", "a.css") == "a{}\n"
    assert (site.folder / "src" / "all.css").read_text() == "old{}"


def test_a_missing_file_names_the_nearest(site):
    site.write("css/site.css", "")
    [first, second] = site.problems(one=plain("all.css", "css/sit.css", "print/*.css"))
    assert (first.code, first.nearest) == ("source-not-found", ("css/site.css",))
    assert "the bundle `one` wants `css/sit.css`" in first.message
    assert second.reference == "print/*.css"


def test_an_unknown_bundle_names_the_one_that_was_meant(site):
    [problem] = site.problems(["stiles"], styles=plain("all.css", "a.css"))[:1]
    assert problem.code == "bundle-not-found"
    assert "did you mean `styles`?" in problem.message


def test_only_the_bundles_asked_for_and_what_they_need_are_made(site):
    site.write("a.css", "a{}")
    made = site.bundle(
        ["page"],
        page=plain("page.css", "base.css"),
        base=plain("base.css", "a.css"),
        other=plain("other.css", "a.css"),
    )
    assert list(made.files) == ["a.css", "base.css", "page.css"]
    assert Path(made.files["page.css"]).read_text() == "a{}\n\n"


def test_bundles_that_are_made_of_each_other_are_refused(site):
    [problem] = site.problems(a=plain("a.css", "b.css"), b=plain("b.css", "a.css"))
    assert problem.code == "bundle-circle"
    assert "a -> b -> a" in problem.message


def test_a_bundle_made_of_itself_is_refused(site):
    assert site.problems(a=plain("a.css", "a.css"))[0].code == "bundle-circle"


def test_the_problems_of_every_bundle_are_told(site):
    site.write("bad.css", b"\xff")
    site.write("bad.js", b"ok(\xff")
    found = site.problems(a=plain("a.css", "bad.css"), b=plain("b.js", "bad.js"))
    assert [(problem.code, problem.file) for problem in found] == [
        ("not-utf-8", "bad.css"),
        ("not-utf-8", "bad.js"),
    ]


# Scripts


def test_a_script_without_semicolon_does_not_fuse_with_the_next(site):
    site.write("a.js", "var f = function () {}")
    site.write("b.js", "(function () {})() // the end")
    site.write("c.js", "c()")
    assert site.text("all.js", "a.js", "b.js", "c.js") == (
        "var f = function () {}\n;(function () {})() // the end\n;c()"
    )


def test_the_first_line_for_a_shell_goes_from_every_file(site):
    site.write("a.js", "#!/usr/bin/env node\na()")
    site.write("b.js", "\ufeff#!/usr/bin/env node\r\nb()")
    assert site.text("all.js", "a.js", "b.js") == "\na()\n;\r\nb()"


def test_a_script_with_a_line_for_a_shell_is_not_emptied_when_it_is_minified(site):
    site.write("a.js", "#!/usr/bin/env node\na()")
    made = site.bundle(one=Bundle(output="all.js", sources=("a.js",)))
    assert Path(made.files["all.js"]).read_text() == "a()"


@pytest.mark.parametrize(
    "text",
    [
        'import a from "./a.js"',
        'import "./a.js"',
        "import{a}from'./a.js'",
        'import * as a from "a"',
        "export default 1",
        "export { a }",
        "export * from 'a'",
        "x(import.meta.url)",
    ],
)
def test_a_module_in_a_bundle_of_scripts_is_refused(site, text):
    site.write("ok.js", "ok()")
    site.write("a.js", f"/* import */\n{text}")
    [problem] = site.problems(one=plain("all.js", "ok.js", "a.js"))
    assert (problem.code, problem.file, problem.line) == ("module-in-bundle", "a.js", 2)
    assert "esbuild" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "a.import; a.export = 1",
        "x = {import: 1, export: 2}",
        "class A { export() {} import() {} }",
        "x('import a from \"b\"') // export default",
        "x(`import a`, /export default/)",
        "$import = 1; exports = 2",
        'import("pkg").then(x)',
    ],
)
def test_words_that_only_look_like_modules_are_no_problem(site, text):
    site.write("lib/a.js", text)
    assert site.text("all.js", "lib/a.js") == text


def test_a_dynamic_import_is_rebased(site):
    site.write("lib/a.js", "import( './b.js' )")
    assert site.text("all.js", "lib/a.js") == "import( './lib/b.js' )"


# Minified


def test_a_bundle_is_minified_by_default(site):
    site.write("a.css", "/*! (c) */ a { color : red }")
    site.write("b.css", "b { color : blue }\n/*# sourceMappingURL=b.css.map */")
    made = site.bundle(one=Bundle(output="all.css", sources=("a.css", "b.css")))
    assert Path(made.files["all.css"]).read_text() == "/*! (c) */a{color:red}b{color:blue}"


def test_what_cannot_be_minified_is_told_with_its_own_file_and_line(site):
    site.write("a.js", "a()\nb()\n")
    site.write("b.js", "c()\nvar d = = 1\n")
    [problem] = site.problems(one=Bundle(output="all.js", sources=("a.js", "b.js")))
    assert (problem.code, problem.file, problem.line) == ("minify-failed", "b.js", 2)
    assert "unexpected =" in problem.message
    assert "`minify: false`" in problem.message


def test_a_bundle_of_a_bundle_that_failed_is_not_told_again(site):
    site.write("a.js", "= 1")
    found = site.problems(
        page=Bundle(output="page.js", sources=("base.js",)),
        base=Bundle(output="base.js", sources=("a.js",)),
    )
    assert [problem.file for problem in found] == ["a.js"]
