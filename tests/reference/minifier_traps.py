"""Style sheets and scripts that minifiers are known to change."""

import json

TRAPS = """\
/*! a licence */
.a { rotate : 0deg ; rotate : x 0deg }
.a { offset-rotate : auto 0deg ; font-style : oblique 0deg }
.b { flex : 1 1 0px } .c { flex : 1 0 0 } .d { flex : 0 0 0px } .e { flex : 1 1 0% }
.f { font-family : "inherit" , "sans-serif" , 'a  b' ; font : 1px / 2 "initial" }
.g { --a : { b : c } ; --b : ; --c:; --d : 0px ; --e : a  b /* c */ , d ; width : var( --d ) }
.h { color : var( --x , ) ; margin : calc( 1px + ( 2px - 3px ) ) -1px +1px .5px 0.50px }
.i :hover , .j:not( .k ) .l > .m ~ .n + .o , .p , :is( a , b ) c , * > * , [q = "r  s" i] { top: 0 }
.q { & :hover { top : 0 } &:hover { top : 0 } > .r { top : 0 } .s & { top : 0 } top : 1px }
.t { background : url( x.png ) , url( "y  z.png" ) , url(data:image/png;base64,AA==) ; *zoom : 1 }
.u { content : "a  b\\
c" '/* d */' ; width : 1px\\9 ; color : #ff0000 ; color : #abcdef80 } .\\31 0 , .v\\:w { top : 0 }
@media screen  and ( min-width : 1px ) , print and ( 1px <= width < 9px ) { .x { top : 0 ; } }
@supports ( display : grid ) and ( not ( display : inline-grid ) ) { .y { float : none } }
@supports selector( a :hover ) { .z { top : 0 } }
@layer a , b ; @layer c { .a { top : 0 } }
@container ( min-width : 1px ) and style( --x : y ) { .b { top : 0 } }
@font-face { font-family : "serif" ; src : url( x.woff2 ) ; unicode-range : U+26 , U+0-7F }
@keyframes k { from , 50% { top : 0px } to { top : 1px } }
@property --p { syntax : "*" ; inherits : false ; initial-value : ; }
@scope ( .a ) to ( .b > .c ) { :scope > .d { top : 0 } }
@page :first { margin : 0px }
.c { grid-template : "a  b" 1fr / [ x ] auto [ y z ] ; transition : top 0s , left 0ms }
.d { transform : rotate( 0deg ) scale( 1 ) ; background-position : 0 0 , left 0px top 0px }
.e { color : red ; ; color : blue !important ; } ; .f { top : 0 }
.g { top : 1px bad { } ; left : 0 } <!-- .h { top : 0 } --> .i { filter : alpha( opacity=50 ) }
"""
#: What goes wrong with them when a minifier takes them for the same.
WRONG = [
    ("a{rotate:0deg}", "a{rotate:0}"),
    ("a{flex:1 1 0px}", "a{flex:1}"),
    ('a{font-family:"inherit"}', "a{font-family:inherit}"),
    ('a{b:c;background:url("x  y")}', 'a{b:c;background:url("x y")}'),
    ("a :hover{top:0}", "a:hover{top:0}"),
    ("a{top:0}b{top:0}", "a{top:0}"),
    ("@media print{a{top:0}}", "@media print{a{top:1px}}"),
]
PIECES = (
    *(
        "a",
        ".x",
        "#y",
        "*",
        "&",
        ":hover",
        ":not(",
        "[q",
        "=",
        "~=",
        '"v"',
        "(",
        ")",
        "]",
        "a:hover",
    ),
    *("{", "}", "{", "}", "{", "}", ";", ";", ":", ":", ",", " ", " ", " ", "  ", "\n", "\t", "\f"),
    *("/**/", "/* c */", "/*! l */", ">", "~", "+", "-", "--", "--x", "--y:", "--y: ;", "top: 0"),
    *(
        "color",
        "color:red",
        "{ color : red }",
        "a { color : blue ; }",
        "!important",
        "!",
        "rotate: 0deg",
    ),
    *(
        "flex:1 1 0px",
        "calc(1px + 2px)",
        "var(--x, )",
        "var( --x , red )",
        "is(",
        "and",
        "not",
        "2n",
    ),
    *("@media", "@media (min-width: 1px)", "@supports (color: red)", "@layer l", "@font-face", "@"),
    *(
        "@keyframes k",
        "from",
        "50%",
        "url(",
        "url(x.png)",
        "url( a b )",
        'url("x y")',
        "'s'",
        "'",
        '"',
    ),
    *(
        "\\",
        "\\\n",
        "\\31 ",
        "\\9",
        "\\{",
        "<!--",
        "-->",
        "<",
        "/",
        "@import",
        "\0",
        "\u00e9",
        "1",
        "#",
    ),
)

SCRIPTS = [
    r'x = "\u005c\u0060\u0024{1}\u0300" + "\x60\x5c" + `\u005c\u0060\x24{1}${1}`',
    r'x = ["\0" + "1", "\00" + "7", "\1" + "2", "\12" + "3", "\351" + "1", "\u{41}" + "1"]',
    r'x = "\n\n\n\n\351\0\u2028\r\ud800" + "\ud83d" + "\ude00"',
    r"x = [String.raw`\u005c\0\x41`, /[\u0300-\u036f]\//.source, /(a)\1/.test('aa')]",
    r'x = "<" + "/script>" + "</script>" + `</script>${"</script>"}` + "<!--" + "-->"',
    r'x = { "\u00e9": 1, "a": 2, "1e3": 3, "\u{20000}": 4, "0x1": 5, "01": 6 }',
    "x = [0.1 + 0.2, 1e21, 0xff, 1_000, 0b11, 0o17, 5..toString(), -0 === 0, 1 / -0, (-2) ** 2]",
    "x = [9007199254740993n + 1n + '', 0.1 * 3, 1.0, 1e23, 5e-324, 1.7e308]",
    "var a = 1, b = 2; x = [a+ +b, a- -b, a+ ++b, a-- - --b, !(!a), typeof a, void 0, -(-a)]",
    "var f = function () {}\n;[1].forEach(function () { x = 1 })",
    "x = (function () { return\n1 })()",
    "x = []; var i = 3\nwhile (i --> 0) x.push(i)",
    "x = (function (a) { arguments[0] = 2; return a })(1)",
    "x = (function (o) { with (o) { return abc } })({ abc: 5 })",
    "x = (function () { if (0) { var a = 1 } return [typeof a, typeof g]; function g() {} })()",
    "x = (function () { let a = 1; { let a = 2 } return a })()",
    "x = []; for (var i in { a: 1, b: 2 }) { if (i == 'a') continue; x.push(i) }",
    "x = (() => { try { throw 1 } catch { return 2 } finally { x = 3 } })()",
    "class A { #p = 1; static s = 2; get v() { return this.#p } }; x = [new A().v, A.s]",
    "class A { static { this.t = 3 } m() { return super.toString } }; x = [A.t, !!new A().m()]",
    "x = [null ?? 1, 0 || 2, 0 ?? 3, (0, 1), undefined?.a, ({ a: { b: 1 } })?.a?.['b']]",
    "x = [a => a, (a, b = 2) => a + b].map(f => f.length); x.push(((a, ...b) => b)(1, 2, 3))",
    "l: for (x = 0; x < 9; x++) { for (;;) { if (x > 4) break l; continue l } }",
    "x = (function () { 'use strict'; return this === undefined })()",
    "x = [1, , 2].length + [, ].length + [1, 2, ].length",
    "x = 'a' in { a: 1 } ? 'b' : 'c'; if (x == 'b') { if (0) x = 1; } else x = 2",
    "switch (3) { case 1: x = 1; default: x = 2; case 2: x += 5; break; case 4: x = 0 }",
    "x = [..." + json.dumps("a\u0301\u2603\U0001f600") + "]",
]

#: Inside a string.
ESCAPES = (
    *(
        r"\u005c",
        r"\x60",
        r"\u0024",
        r"\n",
        r"\n",
        r"\0",
        r"\'",
        r"\u{1F600}",
        r"\ud83d",
        r"\ude00",
    ),
    *(r"\x27", r"\u0022", r"\\", r"\251", r"\2", r"\00", "{", "}", "8", "a", "$", "`"),
)
