"""Style sheets in bundles: re-based references, and texts that must not change each other."""

from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.bundle_sites import BundleSite, css, plain
from worker.assets.bundles import css_bundle, rebasing
from worker.assets.bundles.combining import Piece
from worker.assets.readers import css as css_reader


@pytest.fixture
def site(tmp_path):
    return BundleSite(tmp_path)


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
