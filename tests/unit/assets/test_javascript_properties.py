import re

from hypothesis import example, given
from hypothesis import strategies as st

from worker.assets.readers.javascript import find

PIECES = st.sampled_from(
    [
        *("/", "//", "/*", "*/", "'", '"', "`", "${", "}", "{", "(", ")", "[", "]", "\\", "\n"),
        *(" ", ".", ",", ";", "=", "+", "++", "=>", "<!--", "-->", "\r\n", "\u2028", "\ufeff"),
        *("import", "export", "from", "import(", 'import("./a")', 'import"./a"', "* as a"),
        *('import a from "./a"', 'export * from "./a"', '"./a.js"', "'./b'", "`./c`"),
        *("new URL(", ", import.meta.url)", "new Worker(", "importScripts(", "self."),
        *("\n//# sourceMappingURL=a.map", "a", "1", "return", "if", "function", "é", "\U0001f600"),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join)
FALSE = 'import("./false.js")'
INNER = st.text(st.characters(exclude_characters="`'\"\\/*\n\r\u2028\u2029$[]<>-"), max_size=20)


@given(TEXTS | st.text(), st.booleans())
@example("import(import(x))", True)  # noqa: FBT003 - hypothesis asks by position
def test_what_is_found_lies_in_the_text_in_order_and_apart(text, modules):
    found = find(text, modules=modules)
    places = sorted((item.start, item.end) for item in (*found.references, *found.unknowable))
    ends = [0, *(end for _, end in places)]
    assert all(end <= start for end, (start, _) in zip(ends, places, strict=False))
    assert all(start < end <= len(text) for start, end in places)
    assert list(found.references) == sorted(found.references, key=lambda item: item.start)


@given(TEXTS)
def test_a_reference_can_be_written_as_the_file(text):
    for reference in find(text, modules=True).references:
        reference.url.encode()


@given(INNER, st.sampled_from(["/* {} */", "// {}\n", "'{}'", "`{}`", "`${{a}}{}${{b}}`"]))
def test_a_reference_is_never_found_where_text_is_hidden(inner, frame):
    text = frame.format(inner + FALSE.replace('"', "\\x22") + inner)
    assert not find(text, modules=True).references


@given(TEXTS)
def test_writing_each_reference_as_it_is_changes_no_reference(text):
    found = find(text, modules=True)
    if any(re.search(r"[\"'`\\\s\x00-\x1f]", reference.url) for reference in found.references):
        return
    written = text
    for reference in reversed(found.references):
        new = reference.form.value.format(reference.url)
        written = written[: reference.start] + new + written[reference.end :]
    urls = [reference.url for reference in found.references]
    again = find(written, modules=True)
    assert [reference.url for reference in again.references] == urls
    assert len(again.unknowable) == len(found.unknowable)


@given(TEXTS)
def test_code_behind_a_statement_is_still_code(text):
    found = find(f'import("./first.js");{text}', modules=True)
    assert found.references[0].url == "./first.js"


@given(TEXTS)
def test_without_modules_the_same_source_maps_are_found(text):
    maps = [item for item in find(text, modules=True).references if item.is_optional]
    assert list(find(text, modules=False).references) == maps
