import pytest

from worker.assets.readers.javascript import find


def rewritten(text, *, modules=False):
    for reference in reversed(find(text, modules=modules).references):
        new = reference.form.value.format(reference.url + "+")
        text = text[: reference.start] + new + text[reference.end :]
    return text


@pytest.mark.parametrize("modules", [False, True])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("//# sourceMappingURL=x.js.map", "//# sourceMappingURL=x.js.map+"),
        ("a;\n//# sourceMappingURL=x.js.map\n", "a;\n//# sourceMappingURL=x.js.map+\n"),
        ("//# sourceMappingURL=x.js.map \t\nb", "//# sourceMappingURL=x.js.map+\nb"),
        ("//# sourceMappingURL=x.js.map\r\nb", "//# sourceMappingURL=x.js.map+\r\nb"),
        ("//# sourceMappingURL=x.js.map \r\n", "//# sourceMappingURL=x.js.map+\r\n"),
        ("//# sourceMappingURL=x.js.map\r", "//# sourceMappingURL=x.js.map+\r"),
        ("//# sourceMappingURL=x\rfoo()", "//# sourceMappingURL=x+\rfoo()"),
        ("//# sourceMappingURL=x\nb\n//# sourceMappingURL=y", None),
        ("let a = `b`;\n//# sourceMappingURL=x", None),
        ("//# sourceMappingURL=x\nlet a = `b` /* c */", None),
        ("let a = `b\\`\n`;\n//# sourceMappingURL=x\nlet c = `d`", None),
        ("let a = '\\\n';\n//# sourceMappingURL=x", None),
        ("a // \\\n//# sourceMappingURL=x", None),
    ],
)
def test_a_source_map_is_rewritten_and_what_follows_it_kept(text, expected, modules):
    every = text.replace("URL=x", "URL=x+").replace("URL=y", "URL=y+")
    assert rewritten(text, modules=modules) == (expected or every)


@pytest.mark.parametrize(
    "text",
    [
        "//# sOuRcEMaPpInGURL=x.js.map",
        "//@ sourceMappingURL=x.js.map",
        "//#sourceMappingURL=x.js.map",
        "//#\tsourceMappingURL=x.js.map",
        "//#  sourceMappingURL=x.js.map",
        "a; //# sourceMappingURL=x.js.map",
        "  //# sourceMappingURL=x.js.map",
        "//# sourceMappingURL=x.js.map and more",
        "//# sourceMappingURL= x.js.map",
        "//# sourceMappingURL=",
        "//# sourceMappingURL=\nx",
        "/*\n//# sourceMappingURL=x.js.map\n*/",
        "let a = `\n//# sourceMappingURL=x.js.map\n`",
        "let a = `${b}\n//# sourceMappingURL=x.js.map\n${c}`",
        'let a = "\\\n//# sourceMappingURL=x.js.map"',
        "let a = '\\\r\n//# sourceMappingURL=x.js.map'",
    ],
)
def test_a_comment_of_another_shape_or_a_hidden_one_is_left_alone(text):
    assert rewritten(text) == text


def test_a_missing_source_map_harms_nobody():
    assert all(
        reference.is_optional
        for reference in find("//# sourceMappingURL=x", modules=True).references
    )
