import pytest

from worker.assets.readers.javascript import find

REAL = 'import("./real.js")'
FALSE = 'import("./false.js")'


def urls(text):
    return [reference.url for reference in find(text, modules=True).references]


@pytest.mark.parametrize(
    "text",
    [
        f"// {FALSE}",
        f"a // {FALSE}\r\n",
        f"/* {FALSE} */",
        f"/**\n * {FALSE}\n * @type {{{FALSE}.A}}\n **/",
        '/* import x from "./false.js"; */',
        "\"import x from './false.js'\"",
        "'export * from \"./false.js\"'",
        f"'it\\'s {FALSE}'",
        f"'a \\\n {FALSE}'",
        f"'a \\\r\n {FALSE}'",
        f"`{FALSE}`",
        f"`a\\`b {FALSE}`",
        f"`\n{FALSE}\n`",
        f"`${{a}} {FALSE} ${{b}}`",
        f"`${{'}}'}} {FALSE}`",
        f"`${{`}}`}} {FALSE}`",
        f"`${{{{a: {{}}}}}} {FALSE}`",
        f"`${{/[`}}]/}} {FALSE}`",
        f"`$${{a}}$ \\${{ {FALSE}`",
        f"a = /{FALSE}/",
        f"a = /[/]{FALSE}/",
        f"a = /[\\]/]{FALSE}/u",
        f"a = /\\/{FALSE}/",
        f"return /{FALSE}/g",
        f"if (a) /{FALSE}/.test(b)",
        f"<!-- {FALSE}\n",
        f"a\n--> {FALSE}\n",
        f"a /* b */\n  --> {FALSE}\n",
        f"#!/usr/bin/env node {FALSE}",
        f"#! '\n'{FALSE}'",
    ],
)
def test_what_is_hidden_is_no_reference(text):
    assert urls(text) == []


@pytest.mark.parametrize(
    "before",
    [
        "a = 1 / 2; '/';",
        "a = b /c/ d; '/';",
        "a = (b + c) / 2; '/';",
        "a = (b + (c / (d))) / 2; '/';",
        "a = (b + '(') / 2; '/';",
        "a = (" + "b, " * 100 + "c) / 2; '/';",
        "a = b[0] / 2; '/';",
        "a++ / 2; '/';",
        "a-- / 2; '/';",
        "a = 'b' / 2; '/';",
        "a = `b` / 2; '/';",
        "a = `b${c}` / 2; '/';",
        "a = `${b / 2}`; '/';",
        "a = `${{}} / 2`; '/';",
        "a = 1. / 2; '/';",
        "a.return / 2; '/';",
        "a?.typeof / 2; '/';",
        "a. /* b */ x / 2; '/';",
        "a.if (b) / 2; '/';",
        "this.#return / 2; '/';",
        "of / 2; '/';",
        "a = of / 2; '/';",
        "$return / 2; '/';",
        "a = {b: 1} / 2; '/';",
        "a = ({b: '}'}) / 2; '/';",
        "a = [{}] / 2; '/';",
        "a = /b/ / 2; '/';",
        "a = /b/g / 2; '/';",
        "a /* b */ / 2; '/';",
        "a // b\n / 2; '/';",
        "a /= 2; '/';",
        "é / 2; '/';",
        "(if_ (b)) / 2; '/';",
        "x = f(function() { return {} }) / 2; '/';",
    ],
)
def test_a_slash_behind_a_value_divides(before):
    assert urls(f"{before} {REAL}") == ["./real.js"]


@pytest.mark.parametrize(
    "before",
    [
        "a = /can't/;",
        "a = / '/;",
        "f(/'/);",
        "[/'/, /'/];",
        "a = b ? /'/ : /'/;",
        "a || /'/; a && /'/; a ?? /'/; !/'/;",
        "a => /'/;",
        "a = b /* c */ + /* d */ /'/;",
        "a = 1 / /'/.lastIndex;",
        "a = 2 * /'/.lastIndex;",
        "a = 1; // b\n/'/.test(c);",
        "return /'/;",
        "return /* a */ /'/;",
        "return // a\n/'/;",
        "typeof /'/; void /'/; delete /'/; throw /'/;",
        "a in /'/; a instanceof /'/;",
        "do /'/.test(a); while (0)",
        "if (a) b; else /'/.test(c);",
        "case /'/:",
        "yield /'/; await /'/;",
        "export default /'/;",
        "for (const a of /'/) b;",
        "for (const [a] of /'/) b;",
        "if (a) /'/.test(b);",
        "if (f(g(h(i(j))))) /'/.test(b);",
        "if (a === ')') /'/.test(b);",
        "while (/\\(/.test(a)) /'/.test(b);",
        "for (;;) /'/.test(b);",
        "with (a) /'/.test(b);",
        "if (a) {} /'/.test(b);",
        "{ a } /'/.test(b);",
        "function a() {} /'/.test(b);",
        "function a() { `${b}${{}}` + /}/ } /'/.test(b);",
        "class A {} /'/.test(b);",
        "class A extends B {} /'/.test(b);",
        "try {} catch {} /'/.test(b); try {} finally {} /'/.test(b);",
        "if (a) {} else {} /'/.test(b);",
        "a: {} /'/.test(b);",
        "; {} /'/.test(b);",
        "} /'/.test(b);",
        "a = () => {}\n/'/.test(b);",
        "[.../'/.exec(a)];",
        "`${/'/}`;",
        "/'/;",
        "/* a */ /'/;",
        "\ufeff/'/;",
        "a\n<!-- b\n; /'/",
    ],
)
def test_a_slash_behind_an_operator_or_statement_begins_a_regular_expression(before):
    assert urls(f"{before} {REAL}") == ["./real.js"]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "\ufeff",
        "#!/usr/bin/env node's\n",
        "// has 'apos\n",
        "// has 'apos\r",
        "// has 'apos\u2028",
        "'//'; \"/*\";",
        "'<!--';",
        "a\n--> ' b\n",
        "'\u2028';",
        "a: ",
        "a\n",
        "a<!--'\n",
        "a-->b;",
        "while (a --> 0) b;",
        "a = b\\u0061;",
        "'use strict';",
    ],
)
def test_what_follows_hidden_text_is_code(before):
    assert urls(f"{before}{REAL}") == ["./real.js"]


@pytest.mark.parametrize(
    "text",
    [
        f"'open\n{FALSE}",
        f"/* open {FALSE}",
        f"`open {FALSE}",
        f"a = /open\n{FALSE}",
        f"a = /open[/]\n{FALSE}",
        f"<p>don't</p>\n{FALSE}",
    ],
)
def test_behind_what_is_no_javascript_nothing_is_found(text):
    assert urls(text) == []


def test_a_page_in_jsx_keeps_the_imports_above_it():
    assert urls(f"import a from './a.js';\nb = <p>don't</p>;\n{FALSE}") == ["./a.js"]


def test_an_open_comment_hides_what_follows_only():
    assert urls(f"{REAL} /* {FALSE}") == ["./real.js"]


@pytest.mark.parametrize("unit", ["/", '"', "`", "${", "`${", "import(", "{}/", "(a)/", "x={/a/"])
@pytest.mark.timeout(20)
def test_hostile_text_is_read_in_linear_time(unit):
    find(f"{unit * (200_000 // len(unit))});{REAL}", modules=True)


@pytest.mark.parametrize("hidden", ["/*a*/", " ", "//a\n", "<!--a\n"])
@pytest.mark.timeout(20)
def test_what_is_hidden_behind_a_bracket_is_read_once(hidden):
    text = f";{{}}{hidden * (100_000 // len(hidden))}/re/;{REAL}"
    assert urls(text) == ["./real.js"]
