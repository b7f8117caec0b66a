"""The minifier: what must stay, what it refuses, and that it never comes into this process."""

import sys

import pytest

from worker.assets.bundles.minifying import CannotMinify, minified


@pytest.mark.parametrize(
    ("kind", "text", "small"),
    [
        ("css", "a { color : #ff0000 ; }\n/* c */", "a{color:red}"),
        ("css", '@charset "utf-8";\na{b:"\u2603"}', '@charset "utf-8";a{b:"\u2603"}'),
        ("css", "@import url(x.css) screen;\na { b : c }", "@import url(x.css) screen;a{b:c}"),
        ("css", "a{}/*# sourceMappingURL=x.css.map */", ""),
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


@pytest.mark.parametrize("kind", ["css", "js"])
def test_a_nul_is_refused_and_does_not_cut_the_text(kind):
    with pytest.raises(CannotMinify, match="NUL character on line 2") as caught:
        minified("a{}\n'x\0y'", kind)
    assert caught.value.line == 2


def test_the_same_text_gives_the_same_bytes():
    text = "\n".join(f"function f{n}(abc, xyz) {{ return abc + xyz * {n} }}" for n in range(500))
    assert minified(text, "js") == minified(text, "js")


def test_the_library_is_never_loaded_into_this_process():
    minified("a{b:c}", "css")
    assert "minify" not in sys.modules


def test_a_minifier_that_is_not_there_is_told(monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho no module named minify >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(CannotMinify, match="no module named minify"):
        minified("a{}", "css")
