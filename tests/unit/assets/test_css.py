"""References in style sheets: what is one, what only looks like one, and how it is rewritten."""

import hashlib
import posixpath

import pytest

from worker.assets.readers import css
from worker.assets.readers.reference import Form
from worker.assets.url import hashed_path, renamed, target_of

#: A tree beside `css/x.css`, as in the pairs that were recorded from Django 6.1.3.
FILES = {
    "img/a.png": "A",
    "img/b.png": "B",
    "img/a b.png": "SP",
    "img/☃.png": "SNOW",
    "img/a(1).png": "P",
    "css/y.png": "Y",
    "fonts/f.eot": "EOT",
    "fonts/f.svg": "SVG",
    "other.css": "/* other */\n",
    "css/x.css.map": "{}",
}


def digest(text):
    return hashlib.md5(text.encode()).hexdigest()[:12]


def rewritten(text, base_url="/static/"):
    """As a build does it; what is missing stays."""
    pieces, end = [], 0
    for found in css.find(text).references:
        target = target_of(found.url, source="css/x.css", base_url=base_url)
        if target and target.path in FILES:
            name = posixpath.basename(hashed_path(target.path, digest(FILES[target.path])))
            pieces += [text[end : found.start], found.form.value.format(renamed(target, name))]
            end = found.end
    return "".join([*pieces, text[end:]])


def urls(text):
    return [found.url for found in css.find(text).references]


def forms(text):
    return [(found.form, text[found.start : found.end]) for found in css.find(text).references]


@pytest.mark.parametrize(
    "written",
    [
        'url("../img/a.png")',
        "url('../img/a.png')",
        "url(../img/a.png)",
        "url( ../img/a.png )",
        "URL(../img/a.png)",
        "uRl( '../img/a.png' )",
        'url(" ../img/a.png")',
        "url(\n\t../img/a.png\r\n)",
        "url(\f'../img/a.png'\n)",
        r"url(../img/\61 .png)",
        r"url(..\/img\/a\.png)",
        'url("../im\\\ng/a.png")',
        'url("../im\\\r\ng/a.png")',
        r"u\72 l(../img/a.png)",
        r"\75\52\6c('../img/a.png')",
    ],
)
def test_each_way_to_write_a_url_becomes_the_same_bytes(written):
    text = rewritten(f"a{{background:{written}}}")
    assert text == 'a{background:url("../img/a.7fc56270e7a7.png")}'
    assert digest(text) == "215c08dbd08f"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('a{background:url(../img/a.png),url("../img/b.png")}', "54884771ec58"),
        ("a{background:url(/static/img/a.png)}", "9f78f238553f"),
        ("a{background:url(/media/img/a.png)}", "5f6dee74b167"),
        ("a{background:url(/staticfoo/img/a.png)}", "f0936e3a2cf5"),
        ("a{background:url(http://example.com/a.png)}", "a7c8cc6c9af7"),
        ("a{background:url(//cdn.example.com/a.png)}", "0fe479e880ec"),
        ("a{background:url(data:image/png;base64,AAAA)}", "a100d293fe74"),
        (
            "@font-face{src:url('../fonts/f.eot?#iefix') format('embedded-opentype')}",
            "ead418012474",
        ),
        ("a{behavior:url(about:blank)}", "8fb65fb45de7"),
        ("a{filter:url(#blur)}", "4d844b18d78f"),
        ('a{behavior:url("#default#VML")}', "7f73ae31dfec"),
        ("a{src:url(../fonts/f.eot?v=4.7.0)}", "26368e58a4b2"),
        ("a{src:url(../fonts/f.eot?v=4.7.0#iefix)}", "009dd81ee1d3"),
        ("a{src:url('../fonts/f.svg#webfont')}", "2448288923fa"),
        ("a{background:url(../css/../img/a.png)}", "a721124e3537"),
        ("a{background:url(../img//a.png)}", "766069e7525f"),
        ("a{background:url(./y.png)}", "adc186bb994b"),
        ('a{background:url("../img/a b.png")}', "36524cca20d3"),
        ("a{background:url(../img/a%20b.png)}", "36524cca20d3"),
        ('a{background:url("../img/☃.png")}', "4729e9fb999d"),
        ("a{background:url(../img/%E2%98%83.png)}", "4729e9fb999d"),
        ('a{background:url("../img/a(1).png")}', "00336816d60d"),
        (r"a{background:url(../img/a\(1\).png)}", "00336816d60d"),
        ("a{background:var(--x);--x:url(../img/a.png)}", "b5859a24c498"),
        ('@import url("../other.css");', "cf1577d79499"),
        ("@import url(../other.css);", "cf1577d79499"),
        ("@import '../other.css';", "cf1577d79499"),
        ('@import "../other.css";', "cf1577d79499"),
        ('@import"../other.css";', "cf1577d79499"),
        ('@IMPORT\n"../other.css";', "cf1577d79499"),
        (r'@im\70ort "../other.css";', "cf1577d79499"),
        ('@import "../other.css" screen and (min-width: 10px);', "e3b9b853ae01"),
        ('@import url("../other.css") layer(base) supports(display: grid);', "64d963cf6117"),
        ('@charset "utf-8";\n@import "../other.css";', "a9f78c1a849a"),
        ('\ufeff@import "../other.css";', "17e321a6df23"),
        ('a{}\r\n@import "../other.css";\r\n', "294bd0aa063b"),
        ('@namespace "http://www.w3.org/1999/xhtml";', "f8f4dca80e2e"),
        ("/* url(missing.png) */a{background:url(../img/a.png)}", "148d4f13343b"),
        ('a::after{content:"url(missing.png)"}', "0a19f5e53c13"),
        ('/* @import "missing.css"; */', "7d1f7aa1d8d8"),
        ("a{}\n/*# sourceMappingURL=x.css.map */", "904c3b5e6b16"),
        ("a{}\n/*# sourceMappingURL=x.css.map*/", "904c3b5e6b16"),
        ("a{}\n/*#\tsourceMappingURL=x.css.map */", "904c3b5e6b16"),
        ("a{}\n/*@ sourceMappingURL=x.css.map */", "3fb9a2d4b4d8"),
        ("a{}\n/*# SOURCEmappingurl=x.css.map */", "8604713969b1"),
        ("a{}/*# sourceMappingURL=x.css.map */", "98f96ede91d4"),
        ("html{height:100%}", "84ba4f1708bf"),
        ("", "d41d8cd98f00"),
    ],
)
def test_the_bytes_are_those_that_django_writes(text, name):
    assert hashed_path("css/x.css", digest(rewritten(text))) == f"css/x.{name}.css"


@pytest.mark.parametrize(
    "text",
    [
        "url()",
        'url("")',
        "url(  )",
        "a{b:c}",
        "/* url(x) */",
        "/* url(x)",
        "/**/ /***/ /*/ url(x) */",
        "a{content:'url(x)'}",
        "a{content:\"@import 'x';\"}",
        'a{content:"\\"url(x)"}',
        'a{content:"\\\nurl(x)"}',
        'a{content:"\\22 url(x)"}',
        'a[href="url(x)"]{}',
        r".tw\:bg-\[url\(\'non_exist.png\'\)\]{}",
        r".tw\:bg-\[url\(x\.png\)\]:hover{}",
        r"a\:url(x)",
        "my-url(x)",
        "--url(x)",
        "éurl(x)",
        "1url(x)",
        "!--url(x)",
        "< !--url(x)",
        "<!-- -url(x)",
        "<!---url(x)",
        "<!--a--url(x)",
        r"\<!--url(x)",
        r"a\\\<!--url(x)",
        "#url(x)",
        "@url(x)",
        "@importurl(x)",
        "url (x)",
        "url(a b)",
        "url(a'b)",
        'url(a"b) ',
        "url(a(b)",
        "url(a\\\nb)",
        "url(\x01)",
        "url(/* c */ 'x')",
        'url("x\n',
        "url(data: url(x)",
        '@import "x\n";',
        "@imported 'x';",
        "@import-x 'x';",
        '@charset "x";',
        "@namespace url(x);",
        "@namespace svg url('x');",
        "@NAMESPACE /* url(y) */ 'x';",
        "@namespace url(a;b);",
        "@namespace url(x)",
        "@document url(x), url-prefix('y'), regexp(\"z\") {}",
        "@-moz-document url('x') {}",
        "src(x)",
        "src(var(--x))",
        "font-src('x')",
        "my-image-set('x')",
        "--image-set('x')",
        "-moz-image-set('x')",
        "image-set()",
        "image-set('x\n)",
        "image-set(foo('x') 1x)",
        "image-set((')') 1x)",
        "image-set(1x} 'x'",
        "image-set(1x; 'x'",
        "format('x')",
        "\\",
        "a\\",
        "a\\\nb",
        "@",
        "/",
        "\x00",
    ],
)
def test_what_only_looks_like_a_reference_is_none(text):
    assert urls(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".tw\\'-\\' url(real.png)", ["real.png"]),
        ("'url(fake.png)' url(a)", ["a"]),
        ("\"a'b\" url(x) 'c\"d'", ["x"]),
        ('"a*/b" url(x)', ["x"]),
        ("/* \"x\" 'y' */url(x)", ["x"]),
        ("font: 12px/1.5 x url(x)", ["x"]),
        ("'unclosed\nurl(x)", ["x"]),
        ("'unclosed\\\n' url(x)", ["x"]),
        ("url(a\"b) url(x) 'y'", ["x"]),
        ("@namespace url(y);url(x)", ["x"]),
        ("@namespace url(y;z);url(x)", ["x"]),
        ("@-moz-document url(y){a{b:url(x)}}", ["x"]),
        ("@media print{a{b:url(x)}}", ["x"]),
        ("@supports (mask:url(x)){}", ["x"]),
        ("var(--a,url(x))", ["x"]),
        ("cross-fade(url(x) 50%,url(y))", ["x", "y"]),
        ("url(x)url(y)", ["x", "y"]),
        ("url(x", ["x"]),
        ("url('x", ["x"]),
        ("src: url(x)", ["x"]),
        (r"url(\26 x)", ["&x"]),
        (r"url(\000026x)", ["&x"]),
        (r"url(\0\d800\110000)", ["\ufffd" * 3]),
        (r"url('a\'b')", ["a'b"]),
        ("url('a\\\fb')", ["ab"]),
        ("url('a\\", ["a"]),
        ("url(é☃.png)", ["é☃.png"]),
        ("<!--url(x)-->url(y)", ["x", "y"]),
        ("a<!--URL('x')", ["x"]),
        ("url(x)<!--\\75rl(y)", ["x", "y"]),
        ("#<!--url(x)", ["x"]),
        ("@<!--src('x')", ["x"]),
        ("image-set(<!--url(x) 1x", ["x"]),
        ("<!--image-set('x' 1x)", ["x"]),
        (r"\\<!--url(x)", ["x"]),
        ("'\\\\'<!--url(x)", ["x"]),
        ("url('\x0bx')", ["\x0bx"]),
    ],
)
def test_references_between_other_things_are_found_as_a_browser_reads_them(text, expected):
    assert urls(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('@import /* a */ "x.css" print;', [(Form.STRING, '"x.css"')]),
        ("@import\t'x.css'layer(a)", [(Form.CSS_IMPORT, "@import\t'x.css'")]),
        ("@IMporT uRL(x.css) print;", [(Form.CSS_URL, "uRL(x.css)")]),
        ("@import /**/ url(x.css)", [(Form.CSS_URL, "url(x.css)")]),
        ("src('x')", [(Form.CSS_SRC, "src('x')")]),
        ("SRC( 'x' )", [(Form.CSS_SRC, "SRC( 'x' )")]),
        ("src(/**/'x')", [(Form.STRING, "'x'")]),
        ("url('x' crossorigin(anonymous))", [(Form.STRING, "'x'")]),
        ("url('x'/**/)", [(Form.STRING, "'x'")]),
        ("url('x'", [(Form.STRING, "'x'")]),
    ],
)
def test_what_stands_beside_the_url_is_kept(text, expected):
    assert forms(text) == expected


def test_image_sets_name_images_by_strings_but_types_and_formats_are_none():
    text = """a{b:image-set("a.png" 1x type("image/png"), URL( b.png ) 2x, 'c.png' type('d'))}"""
    assert forms(text) == [
        (Form.STRING, '"a.png"'),
        (Form.CSS_URL, "URL( b.png )"),
        (Form.STRING, "'c.png'"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "-webkit-image-set('x' 1x)",
        "Image-Set('x' 1x)",
        r"image\2dset('x' 1x)",
        "image-set(/* ' */'x' 1x)",
        "image-set(linear-gradient(red,blue) 1x,'x' 2x)",
        "image-set('x' 1x}a{content:'y'}",
        "image-set('x' 1x;content:'y'}",
        "image-set('x' 1x)'y'",
        "image-set('x' calc(1x * (1 + 1)))'y'",
        r"image-set('x' \66oo('y') 1x)",
    ],
)
def test_image_sets_are_found_and_end_where_they_end(text):
    assert forms(text) == [(Form.STRING, "'x'")]


def test_urls_with_more_inside_an_image_set_do_not_end_it():
    text = "image-set(url('x' crossorigin('y')) 1x, src(var(--x)) 1x, 'z' 2x) 'y'"
    assert urls(text) == ["x", "z"]


@pytest.mark.parametrize(
    "comment",
    [
        "/*# sourceMappingURL=x.map */ ",
        "/*# sourceMappingURL=x.map */ a{}",
        " /*# sourceMappingURL=x.map */",
        "/*#  sourceMappingURL=x.map */",
        "/*#sourceMappingURL=x.map */",
        "/*# sourceMappingURL=x.map\n*/",
        "/*# sourceMappingURL=x.map",
        "/*# sourceMappingURL= */",
        "/* /*# sourceMappingURL=x.map */",
        "/*\n/*# sourceMappingURL=x.map */",
        "'\\\n/*# sourceMappingURL=x.map */",
    ],
)
def test_a_source_map_comment_counts_only_alone_on_its_line(comment):
    assert urls(f"a{{}}\n{comment}") == []


def test_a_source_map_comment_keeps_the_end_of_its_line():
    text = "/*# sourceMappingURL= x.css.map \t*/\r\na{b:url(../img/a.png)}"
    start = "/*# sourceMappingURL=x.css.99914b932bd3.map */\r\n"
    assert rewritten(text).startswith(start)
    assert [found.is_optional for found in css.find(text).references] == [True, False]


def test_a_chain_of_imports_has_the_names_that_django_gives():
    text = ""
    for name, imports in [
        ("other.d41d8cd98f00.css", '@import url("other.css");\n'),
        ("styles.5e0040571e1a.css", "@import 'styles.css';\n"),
        ("import.f53576679e5a.css", None),
    ]:
        assert hashed_path(f"{name.partition('.')[0]}.css", digest(text)) == name
        if imports:
            (found,) = css.find(imports).references
            new = renamed(target_of(found.url, source="x.css", base_url="/static/"), name)
            text = imports[: found.start] + found.form.value.format(new) + imports[found.end :]


def test_the_keyword_of_an_import_with_a_url_keeps_its_case():
    assert rewritten("@IMporT uRL('../other.css');").startswith('@IMporT url("../other.')


def test_a_data_url_is_one_reference_whatever_it_holds():
    text = 'a{b:url("data:image/svg+xml,url(%23b) url(%23c)")}'
    assert rewritten(text) == text
    assert len(urls(text)) == 1


def test_with_the_root_as_base_another_host_is_left_alone():
    assert digest(rewritten('body {\n    background: url("//foobar");\n}\n', "/")) == "61707f5f4942"
    text = 'a{b:url("//foobar");c:url(/img/a.png)}'
    assert rewritten(text, "/") == 'a{b:url("//foobar");c:url("/img/a.7fc56270e7a7.png")}'


@pytest.mark.parametrize(
    "piece",
    [
        *('"', "'", '"\n', "(", ")", "\\", "*", "/*", "*/", "@", "u", "{", "é"),
        *("url(", 'url("', "url(\\", "url( ", 'url(a"', "aurl(", "src(", "src(/**/", "\\url("),
        *("@import", "@import ", '@import "', "@import/*", "@namespace", "@namespace url("),
        *("image-set(", 'image-set("', "image-set(url(x)", "-image-set(", "\\a", "\\66("),
        *("<!--url(", "<!--(", "\\<!--a(", "<!--image-set(", "<!--\\66("),
        *("\n/*# sourceMappingURL=", "/*# sourceMappingURL=*/", '"\\', '"\\\n', '@document url("'),
    ],
)
@pytest.mark.parametrize("before", ["", "image-set("])
def test_hostile_text_takes_linear_time(before, piece):
    # Minutes or hours if anything were tried again and again; a test has one minute.
    css.find(before + piece * (300_000 // len(piece)))
