"""Bundles: order, names, re-based references, and texts that must not change each other."""

from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.recipe_static import Bundle, Bundles
from worker.assets.bundles import bundling, css_bundle, rebasing
from worker.assets.bundles.combining import Piece
from worker.assets.problem import AssetError
from worker.assets.readers import css as css_reader
from worker.assets.tree import Tree, collect


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


class Site:
    def __init__(self, folder):
        self.folder = folder
        (folder / "src").mkdir()

    def write(self, path, content):
        file = self.folder / "src" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def bundle(self, only=(), **bundles) -> Tree:
        tree = collect([self.folder / "src"], ()).tree
        scratch = self.folder / "scratch"
        return bundling.bundle(tree, Bundles(bundles=bundles), only=only, scratch=scratch)

    def text(self, output, *sources) -> str:
        made = self.bundle(one=plain(output, *sources)).files[output]
        return made.read_bytes().decode()

    def problems(self, only=(), **bundles):
        with pytest.raises(AssetError) as caught:
            self.bundle(only, **bundles)
        return caught.value.problems


def plain(output, *sources):
    return Bundle(output=output, sources=sources, minify=False)


def css(text, source="a/b/x.css", output="all.css"):
    return css_bundle.combined([Piece(source, text)], output).text.removesuffix("\n")


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
    assert made.files["page.css"].read_text() == "a{}\n\n"


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


# Style sheets


@pytest.mark.parametrize(
    ("source", "output", "before", "after"),
    [
        (
            "css/plugins/gallery.css",
            "css/gallery.css",
            "../../images/sprite.png",
            "../images/sprite.png",
        ),
        (
            "pipeline/css/urls.css",
            "css/screen.css",
            "../fonts/p.eot?#i",
            "../pipeline/fonts/p.eot?#i",
        ),
        ("p/css/u.css", "css/s.css", "b.png?v=1.0#foo=bar", "../p/css/b.png?v=1.0#foo=bar"),
        ("a/x.css", "x.css", "../../media/m.png", "../media/m.png"),
        ("a/x.css", "x.css", "a%20b.png", "a/a%20b.png"),
        ("a/x.css", "x.css", "b/", "a/b/"),
        ("a:b/x.css", "x.css", "c.png", "./a:b/c.png"),
    ],
)
def test_a_relative_url_is_seen_from_the_output(source, output, before, after):
    assert css(f"a{{b:url({before})}}", source, output) == f'a{{b:url("{after}")}}'


@pytest.mark.parametrize(
    "kept",
    [
        "url(/images/sprite.png)",
        "url( 'http://example.com/a.png' )",
        "url(HTTPS://example.com/a.png)",
        "url(//cdn.example.com/a.png)",
        "url(#anchor)",
        "url('data:image/png;base64,AAAA')",
        "url()",
        "url(?v=2)",
    ],
)
def test_other_urls_stay_as_they_are(kept):
    assert css(f"a{{b:{kept}}}") == f"a{{b:{kept}}}"


def test_nothing_is_rewritten_when_the_output_is_in_the_same_folder():
    text = "a{b:url( '../img/a.png' )}"
    assert css(text, "css/x.css", "css/all.css") == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('@import "x.css" screen;', '@import url("a/b/x.css") screen;'),
        ("a{b:image-set('x.png' 1x)}", 'a{b:image-set("a/b/x.png" 1x)}'),
        (r"a{b:url(x\(1\).png)}", 'a{b:url("a/b/x(1).png")}'),
        ("a{b:url('x\\\"y.png')}", 'a{b:url("a/b/x%22y.png")}'),
        ("/* url(x.png) */a{b:'url(x.png)'}", "/* url(x.png) */a{b:'url(x.png)'}"),
    ],
)
def test_each_form_of_a_reference_is_rebased_and_text_is_not(before, after):
    assert css(before).removesuffix("\n") == after


@pytest.mark.parametrize("name", ["sourceMappingURL", "sourceURL"])
@pytest.mark.parametrize(
    ("before", "after"), [("//#  ", ""), ("//@ ", " "), ("/*#  ", "  */"), ("/*@", "*/")]
)
@pytest.mark.parametrize("kind", ["css", "js"])
def test_the_eight_forms_of_map_comments_are_rebased(site, kind, name, before, after):
    site.write(f"lib/x.{kind}", f"a{{}}\n{before}{name}=x.map{after}\n")
    text = site.text(f"all.{kind}", f"lib/x.{kind}")
    assert text.startswith(f"a{{}}\n{before}{name}=lib/x.map{after}\n")


@pytest.mark.parametrize(
    "text",
    [
        "//# sourceURL=webpack://app/./x.js",
        "//# sourceMappingURL=data:application/json;base64,AAAA",
        "//# sourceMappingURL=/static/x.map",
        'x("//# sourceMappingURL=x.map")',
        "x(`\n//# sourceMappingURL=x.map\n`)",
        "/* \n//# sourceMappingURL=x.map\n */",
        r"x(/[/*]\/\/# sourceMappingURL=x.map/)",
    ],
)
def test_maps_elsewhere_and_texts_that_look_like_one_stay(site, text):
    site.write("lib/x.js", text)
    assert site.text("all.js", "lib/x.js") == text


def test_strings_of_style_sheets_that_look_like_a_map_stay():
    text = "a{b:'/*# sourceMappingURL=x.map */'}"
    assert css(text) == text


def test_charset_comes_first_once_and_marks_of_the_byte_order_go(site):
    site.write("a.css", '\ufeff@charset "utf-8";\na{}')
    site.write("b.css", '\ufeff@charset "utf-8";b{}')
    assert site.text("all.css", "a.css", "b.css") == '@charset "utf-8";\n\na{}\nb{}\n'


def test_imports_of_later_files_move_above_all_rules_in_order(site):
    site.write("a.css", '@import "x.css";\na{}')
    site.write(
        "b.css",
        "/* ; */ @layer l;\n@import url(//fonts.example.com/?a;b) screen; b{}\n@import 'no';",
    )
    site.write("c.css", '@import "y.css"')
    assert site.text("all.css", "b.css", "a.css", "c.css") == (
        "/* ; */ @layer l;\n@import url(//fonts.example.com/?a;b) screen;\n"
        '@import "x.css";\n@import "y.css";\n'
        " b{}\n@import 'no';\n\na{}\n\n"
    )


def test_a_layer_block_before_an_import_moves_nothing(site):
    site.write("a.css", "@layer a { x{} }\n@import 'x.css';")
    assert site.text("all.css", "a.css").startswith("@layer a { x{} }\n@import")


def test_an_import_that_could_not_count_any_more_is_refused(site):
    site.write("a.css", "@import 'x.css';")
    site.write("b.css", "\n@layer l;\n@import 'y.css';")
    [problem] = site.problems(one=plain("all.css", "a.css", "b.css"))
    assert (problem.code, problem.file, problem.line) == ("import-too-late", "b.css", 3)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a{b:c", "}"),
        ("@media x{a{b:c}", "}"),
        ("a{} /* open", "*/"),
        ("a{b:'open", "'}"),
        ("a{b:url(open", ")}"),
        ("a{b:calc(1", ")}"),
        ("a{b:'}'}", ""),
        ("a{}}", ""),
        (r"a{b:'\'", "'}"),
    ],
)
def test_a_file_that_is_open_at_its_end_does_not_swallow_the_next(site, text, end):
    site.write("a.css", text)
    site.write("b.css", "b{}")
    assert site.text("all.css", "a.css", "b.css") == f"{text}{end}\nb{{}}\n"


_CSS = st.lists(
    st.sampled_from([*"{}()[]\"'/*\\;@ab \n", "/*", "*/", "url(", "@import ", "\\\n", "//# "]),
    max_size=12,
).map("".join)


@given(text=_CSS)
@example(text="a\\")
@example(text="'\\")
@example(text="url(\\")
@example(text="@import 'a")
def test_whatever_a_file_holds_the_next_one_is_read_from_its_start(text):
    parts = [Piece("a.css", text), Piece("b.css", "z{b:url(z.png)}")]
    whole = css_bundle.combined(parts, "all.css").text
    assert css_reader.find(whole).references[-1].url == "z.png"


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
    assert made.files["all.js"].read_text() == "a()"


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
    assert made.files["all.css"].read_text() == "/*! (c) */a{color:red}b{color:blue}"


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


_FOLDERS = st.lists(st.sampled_from("abc"), max_size=3)


@given(
    source=_FOLDERS,
    output=_FOLDERS,
    up=st.integers(0, 4),
    below=st.lists(st.sampled_from(["a", "b", "."]), max_size=3),
)
def test_a_rebased_url_means_the_same_file(source, output, up, below):
    url = "/".join([*[".."] * up, *below, "x.png"])
    base = "http://host/1/2/3/4/static/"
    before = urljoin(f"{base}{'/'.join([*source, 'x.css'])}", url)
    new = rebasing.rebased(url, "/".join([*source, "x.css"]), "/".join([*output, "y.css"]))
    assert urljoin(f"{base}{'/'.join([*output, 'y.css'])}", new or url) == before
