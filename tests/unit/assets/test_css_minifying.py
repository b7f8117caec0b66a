"""Style sheets without blanks: what must stay, and that no token changes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.assets.bundles.css_minifying import minified
from worker.assets.bundles.css_reading import Kind, Token, read


@pytest.mark.parametrize(
    "text",
    [
        "a{rotate:0deg}",
        "a{rotate:x 0deg}",
        "a{offset-rotate:auto 0deg}",
        "a{font-style:oblique 0deg}",
        "a{flex:1 1 0px}",
        "a{flex:1 0 0}",
        "a{flex:0 0 0px}",
        'a{font-family:"inherit","sans-serif"}',
        "a{color:#ff0000;margin:0px 0px;width:0.50px}",
    ],
)
def test_values_are_never_written_in_another_way(text):
    assert minified(text) == text


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("a { b : c ; d : e ; }", "a{b:c;d:e}"),
        ("a > b , c ~ d { }", "a>b,c~d{}"),
        ("a { b : rgb( 1 , 2 , 3 ) !important }", "a{b:rgb(1,2,3)!important}"),
        ("@media screen  and ( x ) {\n a { b: c }\n}\n", "@media screen and (x){a{b:c}}"),
        ("@import url(x.css)  screen ;\n@layer a , b ;", "@import url(x.css) screen;@layer a,b;"),
        ("a { & > b { c : d } e : f }", "a{&>b{c:d}e:f}"),
        ("a { [x] : hover { } }", "a{[x] : hover{}}"),
    ],
)
def test_blanks_without_meaning_go(text, small):
    assert minified(text) == small


@pytest.mark.parametrize(
    "text",
    [
        "a :hover{}",
        "a{& :hover{b:c}}",
        "a{b: hover{c:d}}",
        "a .b #c [d] *{}",
        "a:not(.b) .c{}",
        "a> >b{}",
        "a-- >b{}",
        "a> =b{}",
        "a{b:calc(1px + 2px) calc(3px - 4px)}",
        "@media screen and (a){}",
        "@supports not (a){}",
        "a{b:url( c d.png ) url( x.png )}",
        'a{b:"c  d" \'e  f\' url("g  h.png")}',
        "a{b:1px 2px/3px auto}",
        r"a{b:\31  2}",
        "a{b:c\\\n}",
        "a{b:'c\n d;e:f}",
    ],
)
def test_blanks_with_a_meaning_stay(text):
    assert minified(text) == text


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("a{--x:  { b : c }  ;--y: ;--z:;d: e}", "a{--x:{ b : c };--y: ;--z:;d:e}"),
        ("a{--x: b /* c */ , d;}", "a{--x:b /* c */ , d;}"),
        ("a{--x: c\\\n;b : d}", "a{--x: c\\\n;b:d}"),
        ("@property --p{initial-value: ;inherits: false}", None),
    ],
)
def test_custom_properties_keep_their_text(text, small):
    assert minified(text) == (small or text.replace("s: f", "s:f"))


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("/* a */b/* c */{/* d */e/* f */:g/* h */;/* i */}/* j */", "b{e/**/:g}"),
        ("a/* b */c{}", "a/**/c{}"),
        ("a /* b */ c{}", "a c{}"),
        ("/*! a */ b { /*! c */ d : e ; /*! f */ }", "/*! a */b{/*! c */d:e;/*! f */}"),
        ("a /*! b */ c{}", "a /*! b */c{}"),
        ("a{}/*# sourceMappingURL=x.css.map */", "a{}"),
        ("a{b:'/* c */'}", "a{b:'/* c */'}"),
    ],
)
def test_comments_go_where_they_keep_nothing_apart(text, small):
    assert minified(text) == small


@pytest.mark.parametrize("text", ["a{*zoom:1;_b:c;d:e\\9}", "a{filter:progid:X.Y(a='#1',b=2)}"])
def test_declarations_for_old_browsers_stay(text):
    assert minified(text) == text


_PIECES = st.lists(
    st.sampled_from(
        [
            *"ab:;{}()[]>~+-!,.#@\\\"'/*<= \n\f\0",
            "--x:",
            "url(",
            "/*!",
            "*/",
            "/* c */",
            "\\\n",
            "\\9 ",
        ]
    ),
    max_size=20,
).map("".join)


def meaningful(text):
    """The tokens without gaps, and without a `;` that only a `}` follows."""
    found = [token for token in read(text) if token.kind in {Kind.STRING, Kind.NAME, Kind.MARK}]
    closing, end = Token(Kind.MARK, "}"), Token(Kind.MARK, " ")
    return [it for it, after in pairwise([*found, end]) if it.text != ";" or after != closing]


@given(text=_PIECES)
def test_no_token_comes_goes_or_changes(text):
    assert meaningful(minified(text)) == meaningful(text)


@given(text=_PIECES)
def test_the_tokens_are_the_whole_text(text):
    assert "".join(token.text for token in read(text)) == text
