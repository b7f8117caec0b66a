"""The minifier: what must stay, what it refuses, and that it never comes into this process."""

import sys

import pytest

from worker.assets.bundles.minifying import CannotMinify, minified


@pytest.mark.parametrize(
    ("kind", "text", "small"),
    [
        ("css", "a { color : #ff0000 ; }\n/* c */", "a{color:#ff0000}"),
        ("css", '@charset "utf-8";\na{b:"\u2603"}', '@charset "utf-8";a{b:"\u2603"}'),
        ("css", "@import url(x.css) screen;\na { b : c }", "@import url(x.css) screen;a{b:c}"),
        ("css", "a{b:c}/*# sourceMappingURL=x.css.map */", "a{b:c}"),
        ("css", "", ""),
        ("js", "var a = 1 // x\n\n;(f)()\n", "var a=1;f()"),
        ("js", "f()\n//# sourceMappingURL=x.js.map", "f()"),
        ("js", "", ""),
    ],
)
def test_less_text_means_the_same(kind, text, small):
    assert minified(text, kind) == small


@pytest.mark.parametrize(("kind", "rest"), [("css", "a{b:c}"), ("js", "f()")])
def test_a_licence_stays(kind, rest):
    assert "Somebody, MIT" in minified(f"/*! Somebody, MIT */\n{rest}", kind)


def test_names_that_other_scripts_see_stay():
    small = minified("function visible(first) { var second = first + 1; return second }", "js")
    assert small.startswith("function visible(")
    assert "second" not in small


def test_what_is_no_script_is_refused_with_its_line():
    with pytest.raises(CannotMinify, match="unexpected =") as caught:
        minified("a()\nb = = 1", "js")
    assert caught.value.line == 2


def test_a_nul_is_refused_and_does_not_cut_the_text():
    with pytest.raises(CannotMinify, match="NUL character on line 2") as caught:
        minified("a{}\n'x\0y'", "js")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("text", "small"),
    [
        (r'x = "\u0300" + y', r'x="\u0300"+y'),
        (r'x = "\ud83d\u{1F600}\xe9"', r'x="\ud83d\u{1F600}\xe9"'),
        (r'x = { "\u00e9" : 1 }', r'x={"\u00e9":1}'),
        (r"x = /[\u0300-\u036f]\1/", r"x=/[\u0300-\u036f]\1/"),
        (r"x = `\u005c\x60\u0024{y}`", r"x=`\u005c\x60\u0024{y}`"),
        (r"x = tag`\u005c\0`", r"x=tag`\u005c\0`"),
        (r'x = "\\u0300"', r'x="\\u0300"'),
        (r'x = "\351"', r'x="\xe9"'),
    ],
)
def test_escapes_of_a_script_stay_escapes(text, small):
    assert minified(text, "js") == small


@pytest.mark.parametrize(
    ("text", "small"),
    [
        (r'x = "\0" + "1"', r'x="\x001"'),
        (r'x = "\00" + "a"', r'x="\x00a"'),
        (r'x = "\1" + "2"', r'x="\x012"'),
    ],
)
def test_an_octal_escape_takes_no_digit_of_the_next_string(text, small):
    assert minified(text, "js") == small


def test_an_escape_in_a_name_is_the_name_without_it():
    assert minified(r"(function (\u0061b) { return \u0061b })()", "js").startswith("(function(")


def test_rare_letters_of_a_script_stay_beside_its_escapes():
    text = 'x="\U00020000\U00020001\\u0300\\u0301"'
    assert minified(text, "js") == text


def test_the_end_tag_of_a_script_element_is_text_like_any_other():
    assert minified('f( "</script>" )\ng()', "js") == 'f("</script>"),g()'


def test_what_is_refused_is_told_as_it_was_written():
    with pytest.raises(CannotMinify) as caught:
        minified(r'a("\u0300") = = 1', "js")
    assert r'a("\u0300")' in str(caught.value)


def test_the_same_text_gives_the_same_bytes():
    text = "\n".join(f"function f{n}(abc, xyz) {{ return abc + xyz * {n} }}" for n in range(500))
    assert minified(text, "js") == minified(text, "js")


def test_the_library_is_never_loaded_into_this_process():
    minified("f()", "js")
    assert "minify" not in sys.modules


def test_a_minifier_that_is_not_there_is_told(monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho no module named minify >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(CannotMinify, match="no module named minify"):
        minified("f()", "js")
