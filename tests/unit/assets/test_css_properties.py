"""What holds for every style sheet, valid or not."""

from hypothesis import given
from hypothesis import strategies as st

from worker.assets.readers import css
from worker.assets.readers.reference import Form

PIECES = (
    *("url(", "URL(", "src(", "image-set(", "-webkit-image-set(", "type(", "foo(", "(", ")"),
    *('"', "'", "\\", "\\66 ", "\\75rl(", "\n", "\r\n", "\f", "\t", " ", "/*", "*/", "/"),
    *(
        "<!--",
        "<",
        "!",
        "@import",
        "@namespace ",
        "@document ",
        "@",
        "#",
        "-",
        "--",
        "{",
        "}",
        ";",
        ":",
        ",",
        "[",
    ),
    *("a", "b.png", "1", "é", "%", ".", "url(x)", '@import "x"', "src('y')", 'image-set("z" 1x)'),
    *("\n/*# sourceMappingURL=m */\n", "/*# sourceMappingURL="),
)
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
#: The inside of a string or comment can be any text that does not end it.
INSIDES = TEXTS.map(
    lambda text: "".join(character for character in text if character not in "\"'*\\\n\r\f")
)
RULE = "a{b:url(x)}"


def replaced(text, new):
    pieces, end = [], 0
    for found in css.find(text).references:
        pieces += [text[end : found.start], found.form.value.format(new(found))]
        end = found.end
    return "".join([*pieces, text[end:]])


def is_plain(url):
    """Whether it can be put back as it is; whatever a build puts in can."""
    return url.isprintable() and not set(url) & set("\"'\\*")


@given(TEXTS)
def test_references_come_in_order_and_never_overlap(text):
    ends = 0
    for found in css.find(text).references:
        assert ends <= found.start < found.end <= len(text)
        assert found.url.strip() or found.url
        ends = found.end


@given(TEXTS)
def test_replacing_every_reference_by_itself_changes_none(text):
    before = [found.url for found in css.find(text).references]
    if all(map(is_plain, before)):
        after = css.find(replaced(text, lambda found: found.url)).references
        assert [found.url for found in after] == before


@given(TEXTS)
def test_new_names_are_all_that_is_found_afterwards(text):
    changed = replaced(text, lambda _: "new.0123456789ab.png")
    found = {found.url for found in css.find(changed).references}
    assert found <= {"new.0123456789ab.png"}
    assert replaced(changed, lambda _: "new.0123456789ab.png") == changed


@given(TEXTS)
def test_what_is_found_is_written_as_its_form_says(text):
    starts = {
        Form.CSS_IMPORT: ("@",),
        Form.STRING: ('"', "'"),
        Form.CSS_MAP: ("/*# sourceMappingURL=", "/*#\tsourceMappingURL="),
        Form.CSS_URL: ("u", "U", "\\"),
        Form.CSS_SRC: ("s", "S", "\\"),
    }
    for found in css.find(text).references:
        assert text[found.start : found.end].startswith(starts[found.form])


@given(INSIDES)
def test_text_inside_a_comment_is_never_found(text):
    assert [found.url for found in css.find(f"a/*{text}*/{RULE}").references] == ["x"]


@given(INSIDES, st.sampled_from("\"'"))
def test_text_inside_a_string_is_never_found(text, quote):
    rule = f"a{{content:{quote}{text}{quote}}}{RULE}"
    assert [found.url for found in css.find(rule).references] == ["x"]


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_every_url_can_be_written_with_escapes(url):
    written = "".join(f"\\{ord(character):x} " for character in url)
    found = [found.url for found in css.find(f"a{{b:url({written})}}").references]
    assert found == [url.strip(" \t\n\r\f")] * bool(url.strip(" \t\n\r\f"))
