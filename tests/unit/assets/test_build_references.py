import hashlib
import json

import pytest

from tests.support.static_trees import build_tree, hashed, refused


def name_of(built, path):
    return built.manifest.files[path].name


def digest(content):
    return hashlib.md5(content).hexdigest()[:12]


def test_a_missing_reference_names_file_line_reference_and_the_nearest_files(tmp_path):
    error = refused(
        tmp_path, {"css/a.css": "a{}\nb{background:url('../img/lgo.png')}", "img/logo.png": ""}
    )
    [problem] = error.problems
    assert problem.as_json() == {
        "code": "missing-reference",
        "message": problem.message,
        "file": "css/a.css",
        "line": 2,
        "reference": "url('../img/lgo.png')",
        "nearest": ("img/logo.png",),
    }
    for word in ("css/a.css", "line 2", "url('../img/lgo.png')", "img/logo.png"):
        assert word in problem.message
    assert "--lenient" in error.hint


def test_all_missing_references_are_told_in_order(tmp_path):
    error = refused(
        tmp_path, {"b.css": "@import 'x';\n@import 'y';", "a.js": "import './z.js'", "c.css": ""}
    )
    assert [(item.file, item.line) for item in error.problems] == [
        ("a.js", 1),
        ("b.css", 1),
        ("b.css", 2),
    ]


def test_a_lenient_build_leaves_a_missing_reference_and_warns(tmp_path):
    content = "a{}\n\n@import url(\"missing.css\");\nb{background:url('p.png')}"
    built = build_tree(tmp_path, {"faulty.css": content, "p.png": "P"}, lenient=True)
    assert hashed(built, "faulty.css").decode() == (
        'a{}\n\n@import url("missing.css");\nb{background:url("p.44c29edb103a.png")}'
    )
    [warning] = built.warnings
    assert (warning.code, warning.file, warning.line) == ("missing-reference", "faulty.css", 3)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.css", "a{}\n/*# sourceMappingURL=a.css.map */"),
        ("a.js", "1\n//# sourceMappingURL=x.map"),
    ],
)
def test_a_missing_source_map_is_a_warning(tmp_path, path, content):
    built = build_tree(tmp_path, {path: content})
    assert [warning.code for warning in built.warnings] == ["missing-map"]
    assert hashed(built, path).decode() == content


def test_an_import_that_only_a_running_program_knows_is_a_warning(tmp_path):
    built = build_tree(tmp_path, {"a.js": '1;\nimport("./" + n + ".js");'})
    [warning] = built.warnings
    assert (warning.code, warning.file, warning.line) == ("unknowable-import", "a.js", 2)


@pytest.mark.parametrize("path", ["nonutf8.css", "nonutf8.js"])
def test_a_text_that_is_no_utf_8_is_refused(tmp_path, path):
    [problem] = refused(tmp_path, {path: b"a{}\n/* \xe9 */"}).problems
    assert (problem.code, problem.file, problem.line) == ("not-utf-8", path, 2)
    assert "utf-8" in problem.message


def test_a_lenient_build_takes_a_text_that_is_no_utf_8_as_it_is(tmp_path):
    built = build_tree(tmp_path, {"a.css": b"\xe9 url(x.png)"}, lenient=True)
    assert [warning.code for warning in built.warnings] == ["not-utf-8"]
    assert hashed(built, "a.css") == b"\xe9 url(x.png)"


def test_a_reference_above_the_root_names_its_file(tmp_path):
    [problem] = refused(tmp_path, {"css/a.css": "a{}\n@import '../../x.css';"}).problems
    assert (problem.code, problem.file, problem.line) == ("above-root", "css/a.css", 2)


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ('a{b:url( "p.png" )}', 'a{b:url("p.44c29edb103a.png")}'),
        ("a{b:url(\n  p.png\n)}", 'a{b:url("p.44c29edb103a.png")}'),
        (r"a{b:url(q\(1\).png)}", 'a{b:url("q(1).f09564c9ca56.png")}'),
        ("a{b:url(HTTPS://host/p.png)}", "a{b:url(HTTPS://host/p.png)}"),
        ('a{b:image-set("p.png" 1x)}', 'a{b:image-set("p.44c29edb103a.png" 1x)}'),
        ("a{b:url(d%252Fe.png)}", 'a{b:url("d%252Fe.f623e75af30e.png")}'),
    ],
)
def test_css_is_right_where_django_is_wrong(tmp_path, content, output):
    files = {"p.png": "P", "q(1).png": "Q", "d%2Fe.png": "D", "x.css": content}
    assert hashed(build_tree(tmp_path, files), "x.css").decode() == output


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ('new URL("./p.js", import.meta.url)', 'new URL("./p.{}.js", import.meta.url)'),
        ('import( "./p.js" )', 'import( "./p.{}.js" )'),
        (
            'new Worker(new URL("./p.js", import.meta.url))',
            'new Worker(new URL("./p.{}.js", import.meta.url))',
        ),
    ],
)
def test_javascript_is_right_where_django_is_wrong(tmp_path, content, output):
    built = build_tree(tmp_path, {"p.js": "P", "x.js": content})
    assert hashed(built, "x.js").decode() == output.format("44c29edb103a")


@pytest.mark.parametrize("path", ["X.CSS", "x.Css"])
def test_the_case_of_an_ending_does_not_matter(tmp_path, path):
    built = build_tree(tmp_path, {path: "a{b:url(p.png)}", "p.png": "P"})
    assert hashed(built, path) == b'a{b:url("p.44c29edb103a.png")}'


def test_imports_are_left_alone_when_modules_are_not_wanted(tmp_path):
    files = {"a.js": 'import "./b.js";', "b.js": ""}
    assert hashed(build_tree(tmp_path, files, js_modules=False), "a.js").decode() == files["a.js"]


def test_a_reference_below_the_base_url_is_followed(tmp_path):
    built = build_tree(tmp_path, {"a.css": "a{b:url(/s/p.png)}", "p.png": "P"}, base_url="/s/")
    assert hashed(built, "a.css") == b'a{b:url("/s/p.44c29edb103a.png")}'


def test_files_that_refer_to_each_other_share_a_hash(tmp_path):
    built = build_tree(
        tmp_path,
        {"foo.css": '@import "bar.css";', "bar.css": '@import "foo.css";', "baz.css": "b{}"},
    )
    common = name_of(built, "foo.css").split(".")[1]
    assert name_of(built, "bar.css") == f"bar.{common}.css"
    assert hashed(built, "foo.css").decode() == f'@import url("bar.{common}.css");'
    assert hashed(built, "bar.css").decode() == f'@import url("foo.{common}.css");'


def test_what_refers_to_a_cycle_has_its_own_hash(tmp_path):
    built = build_tree(
        tmp_path,
        {"a.js": 'import "./b.js";', "b.js": 'import "./c.js";', "c.js": 'import "./b.js";'},
    )
    assert name_of(built, "a.js") == f"a.{digest(hashed(built, 'a.js'))}.js"


@pytest.mark.parametrize("changed", ["a.js", "b.js", "leaf.js"])
def test_a_change_in_a_cycle_or_below_it_changes_every_name_of_it(tmp_path, changed):
    files = {
        "a.js": 'import "./b.js";',
        "b.js": 'import "./a.js"; import "./leaf.js";',
        "leaf.js": "1",
    }
    before = build_tree(tmp_path / "before", files)
    after = build_tree(tmp_path / "after", {**files, changed: f"{files[changed]}//"})
    for path in ("a.js", "b.js"):
        assert name_of(before, path) != name_of(after, path)


def test_a_file_that_refers_to_itself_is_a_cycle_of_one(tmp_path):
    built = build_tree(tmp_path, {"a.svg.css": "a{b:url(a.svg.css#x)}"})
    name = name_of(built, "a.svg.css")
    assert hashed(built, "a.svg.css").decode() == f'a{{b:url("{name}#x")}}'


def test_a_changed_leaf_gives_new_names_all_the_way_up(tmp_path):
    files = {"foo.css": "a{b:url(foo.png) c:url(xyz.png)}", "foo.png": "foo", "xyz.png": "xyz"}
    before = build_tree(tmp_path, files)
    assert name_of(before, "foo.png") == "foo.acbd18db4cc2.png"
    assert name_of(before, "xyz.png") == "xyz.d16fb36f0911.png"
    after = build_tree(tmp_path, {**files, "foo.png": "new content", "xyz.png": "new content"})
    assert hashed(after, "foo.css").count(digest(b"new content").encode()) == 2
    assert name_of(after, "foo.css") != name_of(before, "foo.css")


def test_only_the_original_and_the_final_copy_are_there(tmp_path):
    built = build_tree(
        tmp_path,
        {"relative.css": "@import 'b.css';", "b.css": "@import 'c.css';", "c.css": "c{}"},
    )
    assert len(list(built.directory.glob("relative.*"))) == 2


def test_a_chain_2000_deep_is_built(tmp_path):
    deep = 2_000
    files = {f"{n}.css": f'@import "{n + 1}.css";' for n in range(deep)} | {f"{deep}.css": "a{}"}
    built = build_tree(tmp_path, files, hashed_only=True)
    assert all(
        name_of(built, f"{n + 1}.css").encode() in hashed(built, f"{n}.css") for n in range(deep)
    )


def test_a_cycle_of_500_is_built(tmp_path):
    long = 500
    files = {f"{n}.js": f'import "./{(n + 1) % long}.js";' for n in range(long)}
    built = build_tree(tmp_path, files, hashed_only=True)
    assert len({asset.name.split(".")[1] for asset in built.manifest.files.values()}) == 1


def test_a_file_with_the_hashed_name_of_another_and_other_bytes_is_refused(tmp_path):
    files = {"a.png": "X", "a.02129bb86106.png": "other"}
    [problem] = refused(tmp_path, files).problems
    assert (problem.code, problem.file) == ("name-clash", "a.png")


def test_a_file_with_the_hashed_name_of_another_and_its_bytes_is_fine(tmp_path):
    built = build_tree(tmp_path, {"a.png": "X", "a.02129bb86106.png": "X"})
    assert name_of(built, "a.02129bb86106.png") == "a.02129bb86106.02129bb86106.png"


def test_django_finds_its_own_manifest(tmp_path):
    built = build_tree(tmp_path, {"a.png": "X"})
    manifest = json.loads((built.directory / "staticfiles.json").read_text())
    assert manifest["version"] == "1.1"
    assert manifest["paths"] == {"a.png": "a.02129bb86106.png"}
