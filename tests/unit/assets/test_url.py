"""Which file a reference means, and how it is written when that file has another name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.assets.readers.reference import Form
from worker.assets.url import Target, hashed_path, nearest, renamed, target_of


def target(url, source="css/x.css", base_url="/static/"):
    return target_of(url, source=source, base_url=base_url)


def path(url, **more):
    found = target(url, **more)
    return found and found.path


def written(url, name="n.0123456789ab.png", **more):
    return renamed(target(url, **more), name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a.png", "css/a.png"),
        ("./a.png", "css/a.png"),
        ("../img/a.png", "img/a.png"),
        ("../css/../img/a.png", "img/a.png"),
        ("../img//a.png", "img/a.png"),
        ("img/a.png?v=1", "css/img/a.png"),
        ("../fonts/f.svg#path/to/../../f.svg", "fonts/f.svg"),
        ("../fonts/f.eot?#iefix", "fonts/f.eot"),
        ("a.png?b=c/d/", "css/a.png"),
        ("/static/img/a.png", "img/a.png"),
        ("/static//img/a.png", "img/a.png"),
        ("/static/../static/a.png", "../static/a.png"),
        (" \n a.png\t ", "css/a.png"),
        ("a\n.p\tng", "css/a.png"),
        ("a b.png", "css/a b.png"),
        ("a%20b.png", "css/a b.png"),
        ("%E2%98%83.png", "css/☃.png"),
        ("☃.png", "css/☃.png"),
        ("%2e%2e/a.png", "a.png"),
        ("..%2Fimg%2fa.png", "img/a.png"),
        ("a%252Fb.png", "css/a%2Fb.png"),
        ("a%23b%3Fc.png", "css/a#b?c.png"),
        ("100%.png", "css/100%.png"),
        (r"..\img\a.png", r"css/..\img\a.png"),
        (r"..%5Cimg%5Ca.png", r"css/..\img\a.png"),
        ("%2Fa.png", "css/a.png"),
        ("a%3Ab.png", "css/a:b.png"),
        ("./a:b.png", "css/a:b.png"),
        ("2x:b.png", "css/2x:b.png"),
    ],
)
def test_a_reference_means_a_file_below_the_root(url, expected):
    assert path(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "#foobar",
        "?v=1",
        "?v=1#x",
        "http:foobar",
        "https:foobar",
        "HTTPS://example.com/a.png",
        "http://example.com/a.png",
        "data:foobar",
        "Data:image/png;base64,AAAA",
        "chrome:foobar",
        "about:blank",
        "x-web+app.1:foobar",
        "//foobar",
        "//cdn.example.com/a.png",
        "/media/img/a.png",
        "/staticfoo/img/a.png",
        "/static",
        "/static/",
        "/static/img/",
        "/",
        "img/",
        "img/?x",
        "img%2F",
        ".",
        "..",
        "../img/..",
    ],
)
def test_what_names_no_file_of_the_tree_is_left_alone(url):
    assert target(url) is None


@pytest.mark.parametrize(
    ("url", "base_url", "expected"),
    [
        ("/img/a.png", "/", "img/a.png"),
        ("//foobar", "/", None),
        ("img/a.png", "/", "css/img/a.png"),
        ("https://cdn.example/x/img/a.png?v", "https://cdn.example/x/", "img/a.png"),
        ("https://cdn.example/y/a.png", "https://cdn.example/x/", None),
        ("/x/a.png", "https://cdn.example/x/", None),
        ("//cdn.example/x/a.png", "//cdn.example/x/", "a.png"),
        ("//cdn.example/y/a.png", "//cdn.example/x/", None),
    ],
)
def test_the_base_url_decides_what_lies_below_the_root(url, base_url, expected):
    assert path(url, base_url=base_url) == expected


@pytest.mark.parametrize(
    ("url", "outside"),
    [
        ("../../a.png", "../a.png"),
        ("%2e%2e/%2e%2e/%2e%2e/a.png", "../../a.png"),
        ("..%2f..%2fetc/passwd", "../etc/passwd"),
        ("/static/../../a.png", "../../a.png"),
    ],
)
def test_a_reference_that_leads_above_the_root_says_so(url, outside):
    found = target(url)
    assert found.is_outside
    assert found.path == outside
    assert not target("../..a.png").is_outside


def test_a_source_at_the_root_needs_no_folder():
    assert path("../a.png", source="x.css") == "../a.png"
    assert path("img/a.png", source="x.css") == "img/a.png"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a.png", "n.0123456789ab.png"),
        ("./a.png", "./n.0123456789ab.png"),
        ("../css/../img//a.png", "../css/../img//n.0123456789ab.png"),
        ("/static/img/a.png", "/static/img/n.0123456789ab.png"),
        ("a.png?#iefix", "n.0123456789ab.png?#iefix"),
        ("a.png?", "n.0123456789ab.png?"),
        ("a.png?v=4.7.0#iefix", "n.0123456789ab.png?v=4.7.0#iefix"),
        ("a.png#a?b#c", "n.0123456789ab.png#a?b#c"),
        ("a.png?v=%26%20x", "n.0123456789ab.png?v=%26%20x"),
        ("a%20b/%C3%A9/c.png", "a b/é/n.0123456789ab.png"),
        ("a b/c.png", "a b/n.0123456789ab.png"),
        ("%20b/c.png", "%20b/n.0123456789ab.png"),
        ("%e2%98%83/c.png", "☃/n.0123456789ab.png"),
        ("a%252Fb/c.png", "a%252Fb/n.0123456789ab.png"),
        ("a%23b%3fc%22d%5ce/c.png", "a%23b%3Fc%22d%5Ce/n.0123456789ab.png"),
        ("a%3Ab/c.png", "a%3Ab/n.0123456789ab.png"),
        ("img%2Fc.png", "img%2Fn.0123456789ab.png"),
        ("a%0Ab%C2%A0c/d.png", "a%0Ab%C2%A0c/n.0123456789ab.png"),
        ('a"b\\c\x0cd/e.png', "a%22b%5Cc%0Cd/n.0123456789ab.png"),
        ('a.png?"\\', "n.0123456789ab.png?%22%5C"),
        ("50%/%%34%31/a.png", "50%25/%2541/n.0123456789ab.png"),
    ],
)
def test_only_the_files_own_name_changes(url, expected):
    assert written(url) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b.png", "a b.png"),
        ("☃.png", "☃.png"),
        ("a(1).png", "a(1).png"),
        ("a's.png", "a's.png"),
        ("100%.png", "100%25.png"),
        ("a%2Fb.png", "a%252Fb.png"),
        ("a#b?c.png", "a%23b%3Fc.png"),
        ('a"b\\c\nd.png', "a%22b%5Cc%0Ad.png"),
        ("a:b.png", "a%3Ab.png"),
        (" a.png ", "%20a.png%20"),
        ("a\u2028b\xa0c.png", "a%E2%80%A8b%C2%A0c.png"),
    ],
)
def test_a_name_is_written_so_that_it_means_itself(name, expected):
    assert written("x.png", name) == expected


def test_a_base_url_of_another_host_is_written_back():
    base_url = "https://cdn.example/x/"
    assert written(f"{base_url}a%20b/a.png", base_url=base_url) == (
        "https://cdn.example/x/a b/n.0123456789ab.png"
    )


@pytest.mark.parametrize(
    ("logical", "expected"),
    [
        ("x.min.js", "x.min.0123456789ab.js"),
        ("LICENSE", "LICENSE.0123456789ab"),
        ("css/x.css.map", "css/x.css.0123456789ab.map"),
        ("a.tar.gz", "a.tar.0123456789ab.gz"),
        (".nojekyll", ".nojekyll.0123456789ab"),
        ("v1.2/x", "v1.2/x.0123456789ab"),
        ("app.0123456789ab.js", "app.0123456789ab.0123456789ab.js"),
    ],
)
def test_the_digest_stands_before_the_last_extension(logical, expected):
    assert hashed_path(logical, "0123456789ab") == expected


def test_the_same_name_elsewhere_is_nearer_than_a_similar_name():
    known = ["css/logos.png", "img/logo.png", "img/LOGO.png", "js/logo.js", "z/other.css"]
    assert nearest("css/logo.png", known) == ("img/LOGO.png", "img/logo.png", "css/logos.png")


def test_a_slip_of_the_pen_is_recognized():
    assert nearest("img/lgoo.png", ["img/logo.png", "css/site.css"]) == ("img/logo.png",)


def test_nothing_near_is_nothing():
    assert nearest("img/logo.png", ["css/site.css", "LICENSE"]) == ()
    assert nearest("x", ()) == ()


def test_the_nearest_do_not_depend_on_the_order_of_what_is_known():
    known = [f"lib{number}/icon-{number % 7}.svg" for number in range(10_000)]
    assert nearest("lib/icon.svg", known) == nearest("lib/icon.svg", reversed(known))


ANY = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
URLS = st.one_of(
    ANY,
    st.lists(
        st.sampled_from(
            ("../", "./", "/", "a", "%2e", "%2F", "%25", "%20", "?", "#", ":", "é", " ")
        ),
    ).map("".join),
)


@given(URLS, st.sampled_from(["x.css", "css/x.css"]), st.sampled_from(["/", "/static/"]))
def test_no_url_breaks_it(url, source, base_url):
    found = target(url, source=source, base_url=base_url)
    if found:
        assert not found.path.startswith("/")
        assert not found.path.endswith("/")


@given(URLS, NAMES)
def test_what_is_written_means_the_renamed_file(url, name):
    found = target(url)
    if found and name not in {".", ".."}:
        folder = found.path.rpartition("/")[0]
        again = target(renamed(found, name))
        assert again == Target(f"{folder}/{name}" if folder else name, found.folder, found.suffix)


@given(URLS, NAMES, st.sampled_from(Form))
def test_what_is_written_fits_every_form(url, name, form):
    found = target(url)
    if found:
        assert not set(renamed(found, name)) & set('"\\\n\r\t\0')
