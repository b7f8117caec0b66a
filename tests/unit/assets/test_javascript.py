import pytest

from worker.assets.readers.javascript import find
from worker.assets.readers.reference import Form


def rewritten(text):
    """Every reference written back with `+` at its end."""
    for reference in reversed(find(text, modules=True).references):
        new = reference.form.value.format(reference.url + "+")
        text = text[: reference.start] + new + text[reference.end :]
    return text


def urls(text):
    return [reference.url for reference in find(text, modules=True).references]


def forms(text):
    return [reference.form for reference in find(text, modules=True).references]


def unknowable(text):
    return [text[item.start : item.end] for item in find(text, modules=True).unknowable]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import x from "/static/abs.js";', 'import x from "/static/abs.js+";'),
        ("import x from './m.js';\n", 'import x from "./m.js+";\n'),
        ('import x from "../nested/js/n.js"', 'import x from "../nested/js/n.js+"'),
        ('import * as N from "./m.js";', 'import * as N from "./m.js+";'),
        ('import*as m from"./m.js";', 'import*as m from "./m.js+";'),
        ('import *as m from "./m.js";', 'import *as m from "./m.js+";'),
        ('import*  as  m  from  "./m.js";', 'import*  as  m from "./m.js+";'),
        ('import { a, b as c } from "./m.js";', 'import { a, b as c } from "./m.js+";'),
        ('import{a}from"./m.js";', 'import{a} from "./m.js+";'),
        ('import {\n  a,\n  b\n}\nfrom "./m.js"', 'import {\n  a,\n  b\n} from "./m.js+"'),
        ('import x, { y } from "./m.js"', 'import x, { y } from "./m.js+"'),
        ('import x, * as y from "./m.js"', 'import x, * as y from "./m.js+"'),
        ('import {default as x} from "./m.js"', 'import {default as x} from "./m.js+"'),
        ('import {"a}b" as x} from "./m.js"', 'import {"a}b" as x} from "./m.js+"'),
        ('import {} from "./m.js"', 'import {} from "./m.js+"'),
        ('import from from "./m.js"', 'import from from "./m.js+"'),
        ('import $é_1 from "./m.js"', 'import $é_1 from "./m.js+"'),
        ('import defer from "./m.js"', 'import defer from "./m.js+"'),
        ('import defer * as x from "./m.js"', 'import defer * as x from "./m.js+"'),
        ('import source x from "./m.wasm"', 'import source x from "./m.wasm+"'),
        ('import source from "./m.js"', 'import source from "./m.js+"'),
        ('import d from "./d.json" with { type: "json" };', None),
        ('import s from "./s.css" assert { type: "css" };', None),
    ],
)
def test_a_static_import_is_written_as_django_writes_it(text, expected):
    assert rewritten(text) == (
        expected or text.replace(".json", ".json+").replace("s.css", "s.css+")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import "./x.js";', 'import"./x.js+";'),
        ("import'./x.js'", 'import"./x.js+"'),
        ('import\n  "./x.js"\n', 'import"./x.js+"\n'),
        ('import "./x.css" with {type: "css"}', 'import"./x.css+" with {type: "css"}'),
        ('import /* now */ "./x.js"', 'import /* now */ "./x.js+"'),
    ],
)
def test_an_import_for_its_effect_loses_its_blanks_but_no_comment(text, expected):
    assert rewritten(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('export * from "./m.js";', 'export * from "./m.js+";'),
        ('export*from"./m.js"', 'export* from "./m.js+"'),
        ('export * as q from "./m.js"', 'export * as q from "./m.js+"'),
        ('export * as "q r" from "./m.js"', 'export * as "q r" from "./m.js+"'),
        ('export { a as b } from "./m.js"', 'export { a as b } from "./m.js+"'),
        ("export {\n a, // }\n b\n}\n from\n './m.js'", 'export {\n a, // }\n b\n} from "./m.js+"'),
        ('export { default } from "./m.js"', 'export { default } from "./m.js+"'),
        (
            'export { x };\nimport {y} from "./m.js"',
            'export { x };\nimport {y} from "./m.js+"',
        ),
        (
            'export { x }\nexport { y }\nexport * from "./m.js"',
            'export { x }\nexport { y }\nexport * from "./m.js+"',
        ),
    ],
)
def test_an_export_from_another_file_is_written_as_django_writes_it(text, expected):
    assert rewritten(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import x from /* c */ "./x"', 'import x from /* c */ "./x+"'),
        ('import x /* c */ from "./x"', 'import x /* c */ from "./x+"'),
        ("import x // c\nfrom './x'", 'import x // c\nfrom "./x+"'),
        ("import x from // c\n'./x'", 'import x from // c\n"./x+"'),
        ('import /* a */ x /* b */\nfrom "./x"', 'import /* a */ x /* b */ from "./x+"'),
        ('export /* a */ * /* b */ from "./x"', 'export /* a */ * /* b */ from "./x+"'),
        ('import/**/{/* } */a/**/}/**/from"./x"', 'import/**/{/* } */a/**/}/**/ from "./x+"'),
    ],
)
def test_comments_inside_a_statement_stay_what_they_are(text, expected):
    assert rewritten(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import("./x.js")', 'import("./x.js+")'),
        ("const p=import( './m.js' );\n", 'const p=import( "./m.js+" );\n'),
        ("import(`./m.js`)", 'import("./m.js+")'),
        ('import\n(\n"./m.js"\n)', 'import\n(\n"./m.js+"\n)'),
        ('import(/* webpackChunkName: "m" */ "./m.js")', None),
        ('import("./m.js", { with: { type: "json" } })', None),
        ('import("./m.js",)', None),
        ('[...import("./m.js")]', None),
        ('if (a) import("./m.js")', None),
        ('`${import("./m.js")}`', None),
        ('`${`${a}${{b: import("./m.js")}}`}`', None),
        ('import.source("./m.js")', None),
        ('import.defer("./m.js")', None),
        ('(async()=>{await import("./m.js")})()', None),
        ('a.b = 1 / 2; import("./m.js")', None),
    ],
)
def test_a_dynamic_import_keeps_all_but_its_string(text, expected):
    assert rewritten(text) == (expected or text.replace("./m.js", "./m.js+"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('new URL("./w.wasm", import.meta.url)', ["./w.wasm"]),
        ("new URL( 'w.wasm' ,\n import . meta . url , )", ["w.wasm"]),
        ("new URL(`./w.wasm`, import.meta.url).href", ["./w.wasm"]),
        ('new/**/URL(/* a */"./w"/* b */,/* c */import.meta.url/* d */)', ["./w"]),
        ('new Worker(new URL("./w.js", import.meta.url), {type: "module"})', ["./w.js"]),
        ('new URL("./a b.png?x#y", import.meta.url)', ["./a b.png?x#y"]),
        ('new URL("https://example.com/x", import.meta.url)', ["https://example.com/x"]),
        ('import(new URL("./m.js", import.meta.url).href)', ["./m.js"]),
        ('import.meta.resolve("./m.js")', ["./m.js"]),
        ("import . meta/**/. resolve( `./m.js` )", ["./m.js"]),
        ('import.meta.resolve("lit")', []),
        ('import.meta.resolves("./m.js")', []),
        ('a.import.meta.resolve("./m.js")', []),
        ('new URL("./w.js", document.baseURI)', []),
        ('new URL("./w.js")', []),
        ('new URL("./w.js", import.meta.urls)', []),
        ('new URL("./w.js", import.meta.url + a)', []),
        ('renew URL("./w.js", import.meta.url)', []),
        ('new URLs("./w.js", import.meta.url)', []),
        ("new URL(import.meta.url)", []),
    ],
)
def test_a_url_relative_to_the_module_is_a_reference(text, expected):
    assert urls(text) == expected


@pytest.mark.parametrize("url", [".", "..", "./", "../a/", "#a", "?a", "", "./?a", "..#a/b"])
def test_a_folder_is_no_file(url):
    assert not urls(f'new URL("{url}", import.meta.url)')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('new Worker("/static/w.js")', ["/static/w.js"]),
        ("new SharedWorker ( '/static/w.js' , {name: 'a'})", ["/static/w.js"]),
        ("new Worker(`/static/w.js`)", ["/static/w.js"]),
        ('new /* a */ Worker(/* b */ "/static/w.js")', ["/static/w.js"]),
        ('new Worker("w.js")', []),
        ('new Worker("./w.js")', []),
        ('new Worker("/static/" + name)', []),
        ('new Workers("/static/w.js")', []),
        ("new Worker(url)", []),
    ],
)
def test_a_worker_is_a_reference_when_its_path_does_not_depend_on_the_page(text, expected):
    assert urls(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('importScripts("a.js", "/static/b.js")', ["a.js", "/static/b.js"]),
        ("self.importScripts('a.js',\n/* b */ `b.js`,)", ["a.js", "b.js"]),
        ('globalThis.importScripts("a.js")', ["a.js"]),
        ('importScripts("a.js", b, "c.js")', ["a.js"]),
        ('loader.importScripts("a.js")', []),
        ('loader.self.importScripts("a.js")', []),
        ('reimportScripts("a.js")', []),
        ("importScripts()", []),
    ],
)
def test_each_string_of_import_scripts_is_a_reference(text, expected):
    assert urls(text) == expected


def test_what_is_no_import_keeps_all_but_its_string():
    text = 'importScripts("a"); new Worker("/b"); new URL("c", import.meta.url); import("./d")'
    assert forms(text) == [Form.STRING] * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import("./" + n + ".js")', ['import("./" + n + ".js")']),
        ("import(name);", ["import(name)"]),
        ("import(`./${n}.js`)", ["import(`./${n}.js`)"]),
        ('import(a ? "./a.js" : f(")"), {with: {}})', None),
        ("import(/* c */ name)", None),
        ('import.defer("./" + n)', None),
        ("new URL(name, import.meta.url)", None),
        ("new URL(`./${n}.js`, import.meta.url)", None),
        ('new URL("./" + f(n, 1), import.meta.url)', None),
        ("importScripts(...names)", None),
        ("importScripts(f())", None),
        ("import(a(b(c(d(e)))))", ["import("]),
        ("import(import(name))", ["import(", "import(name)"]),
        ('import(f("./" + new URL("./a.js", import.meta.url)))', ['import(f("./" + new URL(']),
        ("new URL(name, base)", []),
        ('import("lit")', []),
        ('import("./a.js")', []),
        ("import()", []),
        ("import.meta.url", []),
    ],
)
def test_a_computed_name_is_told(text, expected):
    assert unknowable(text) == ([text] if expected is None else expected)


@pytest.mark.parametrize(
    "text",
    [
        "class A { import(name) {} }",
        "const a = { import(name) { return name } }",
        "const a = { async import(name, {b} = {}) /* c */ {} }",
        "function importScripts(url) { load(url) }",
        "class A { #import(name) {} b() { this.#import(name) } }",
        "a.import(name); a?.import(name); a\n  // then\n  .import(name)",
        "a. /* c */ import(name)",
        "a.b\n  .\n  import(name)",
        "reimport(name); $import(name); _import(name); éimport(name)",
        "({import: 1, export: 2})",
        "importer(name); imports(name)",
    ],
)
def test_a_method_or_name_like_the_word_is_no_import(text):
    assert find(text, modules=True).unknowable == ()


@pytest.mark.parametrize(
    ("string", "url"),
    [
        (r'"./a\x2ejs"', "./a.js"),
        (r'"./a\u002ejs"', "./a.js"),
        (r'"./a\u{2e}js"', "./a.js"),
        (r'"\x2e/a.js"', "./a.js"),
        (r'"./\ud83d\ude00.js"', "./\U0001f600.js"),
        (r'"./\u{1F600}.js"', "./\U0001f600.js"),
        (r'"./\ud83d.js"', "./\ufffd.js"),
        (r'"./\u{ffffffffff}.js"', "./\U0010ffff.js"),
        (r'"./a\"b\'c.js"', "./a\"b'c.js"),
        (r'"./a\56js"', "./a.js"),
        ('"./a\\\n.js"', "./a.js"),
        ('"./a\\\r\n.js"', "./a.js"),
        (r'"./a\tb.js"', "./a\tb.js"),
        ('"./a.js \t"', "./a.js"),
        ("'./a\"b.js'", './a"b.js'),
        (r'"./\q.js"', "./q.js"),
    ],
)
def test_the_url_is_what_the_string_says(string, url):
    assert urls(f"import({string})") == [url]


@pytest.mark.parametrize(
    "name", ["lit", "@vendor/package", "#utils", "https://example.com/x.js", "a/b.js", ".", ".."]
)
def test_a_bare_name_is_left_alone(name):
    text = f'import x from "{name}"; import "{name}"; export * from "{name}"; import("{name}")'
    assert urls(text) == []


def test_references_come_in_the_order_of_the_text():
    text = 'import("./a"); import b from "./b"\nimport"./c";new Worker("/d")\nexport*from"./e"'
    assert urls(text) == ["./a", "./b", "./c", "/d", "./e"]


def test_without_modules_only_source_maps_are_found():
    text = 'import "./a.js";\nimport(b);\n//# sourceMappingURL=c.js.map'
    found = find(text, modules=False)
    assert [reference.url for reference in found.references] == ["c.js.map"]
    assert found.unknowable == ()


def test_a_member_before_an_import_does_not_hide_it():
    assert urls('x.import\nimport /* c */ "./a.js"') == ["./a.js"]
