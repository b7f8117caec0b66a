"""Real compilers: TypeScript, JSX and bundles with esbuild, LESS with less; and what is minified
is still read by other parsers.
"""

import json
import subprocess
from pathlib import Path

import pytest

from app.domain import bundle_file
from app.domain.recipe_static import Bundle, Bundles
from tests.support import reference
from worker.assets.building.build import build
from worker.assets.building.options import Options
from worker.assets.bundles import bundling, compiling
from worker.assets.problem import AssetError
from worker.assets.tree import Tree, collect

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

WANTED = ("esbuild@0.28.2", "less@4.9.1", "acorn@8.15.0", "jquery@3.7.1", "bootstrap@5.3.9")

#: As docs/bundles.md shows them.
BUNDLES = """\
compilers:
  - match: js/app.ts
    run: {bin}/esbuild {in} --bundle --minify --sourcemap --target=es2020 --outfile={out}
    extension: .js
  - match: "*.jsx"
    run: {bin}/esbuild {in} --jsx-factory=h --outfile={out}
    extension: .js
  - match: css/site.less
    run: {bin}/lessc {in} {out}
    extension: .css
bundles:
  site:
    output: site.css
    sources: [css/site.css, css/print.css]
  widgets:
    output: widgets.js
    sources: [js/h.js, "js/widgets/*.js"]
"""

FILES = {
    "js/app.ts": 'import { double } from "./lib/double";\n'
    "const made: number = double(21);\nconsole.log(`made ${made}`);\n",
    "js/lib/double.ts": "export function double(x: number): number { return x * 2 }\n",
    "js/h.js": "var h = function (name, _, text) { return '<' + name + '>' + text }",
    "js/widgets/hello.jsx": "console.log(<b>hello</b>)\n",
    "css/site.less": '@import "parts/colors";\n'
    ".a { .b { color: @main; background: url(../i.png) } }\n",
    "css/parts/colors.less": "@main: #123456;\n",
    "css/print.css": "@media print { .a { background: url(../i.png) } }\n",
    "i.png": "no real picture",
}


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder of the programs."""

    def make(new: Path) -> None:
        new.mkdir(parents=True)
        (new / "package.json").write_text("{}")
        options = ["--prefix", str(new), "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(["npm", "install", *options, *WANTED], check=True, capture_output=True)

    return reference.once(f"compilers-{reference.digest(*WANTED)}", make) / "node_modules" / ".bin"


@pytest.fixture
def site(tmp_path):
    for path, text in FILES.items():
        file = tmp_path / "src" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def wanted(tools: Path) -> Bundles:
    return bundle_file.parse(BUNDLES.replace("{bin}", str(tools)))


def node(file: str) -> str:
    return subprocess.run(["node", file], capture_output=True, text=True, check=True).stdout


def compiled(site: Path, tools: Path, name: str) -> Tree:
    tree = collect([site / "src"], ()).tree
    return compiling.compile_all(
        tree, wanted(tools).compilers, scratch=site / name, cache=site / "cache"
    )


def test_typescript_is_bundled_with_its_imports_and_a_source_map(site, tools):
    files = compiled(site, tools, "scratch").files
    assert node(files["js/app.js"]) == "made 42\n"
    told = json.loads(Path(files["js/app.js.map"]).read_text())["sources"]
    assert told == ["lib/double.ts", "app.ts"]


def test_less_finds_what_it_imports(site, tools):
    text = Path(compiled(site, tools, "scratch").files["css/site.css"]).read_text()
    assert "color: #123456" in text
    assert "url(../i.png)" in text


def test_a_second_run_takes_everything_from_the_cache(site, tools):
    first = compiled(site, tools, "one").files
    broken = site / "src" / "js" / "lib" / "double.ts"
    second = compiled(site, tools, "two").files
    assert {path: Path(file).read_bytes() for path, file in first.items()} == {
        path: Path(file).read_bytes() for path, file in second.items()
    }
    broken.write_text("export function double(x: number): number { return x * 3 }\n")
    assert node(compiled(site, tools, "three").files["js/app.js"]) == "made 63\n"


def test_an_error_of_a_compiler_names_the_place(site, tools):
    (site / "src" / "js" / "app.ts").write_text("let a = ;")
    (site / "src" / "css" / "site.less").write_text('@import "no-such";')
    with pytest.raises(AssetError) as caught:
        compiled(site, tools, "scratch")
    script, style = caught.value.problems
    assert 'Unexpected ";"' in script.message
    assert "'no-such' wasn't found" in style.message


def test_a_release_is_built_of_what_was_compiled_and_bundled(site, tools):
    options = Options(bundles=wanted(tools), cache=site / "cache", js_modules=False)
    manifest = build([site / "src"], site / "out", options).manifest
    names = {path: asset.name for path, asset in manifest.files.items()}
    style = (site / "out" / names["site.css"]).read_text()
    assert style == (
        f'.a .b{{color:#123456;background:url("{names["i.png"]}")}}'
        f'@media print{{.a{{background:url("{names["i.png"]}")}}}}'
    )
    assert node(site / "out" / names["widgets.js"]) == "<b>hello\n"
    script = (site / "out" / names["js/app.js"]).read_text()
    assert f"//# sourceMappingURL={Path(names['js/app.js.map']).name}" in script


@pytest.mark.parametrize("minify", [True, False])
def test_real_scripts_and_styles_are_still_read_by_other_parsers(tools, tmp_path, minify):
    modules = tools.parent
    tree = collect([modules / "jquery" / "dist", modules / "bootstrap" / "dist"], ()).tree
    scripts = ("jquery.js", "js/bootstrap.bundle.js", "jquery.slim.js")
    styles = ("css/bootstrap.css", "css/bootstrap-grid.css")
    bundled = bundling.bundle(
        tree,
        Bundles(
            bundles={
                "scripts": Bundle(output="all.js", sources=scripts, minify=minify),
                "styles": Bundle(output="deep/er/all.css", sources=styles, minify=minify),
            }
        ),
        only=(),
        scratch=tmp_path,
    )
    made = {path: Path(file) for path, file in bundled.files.items()}
    for output, sources in (("all.js", scripts), ("deep/er/all.css", styles)):
        parsed = subprocess.run(
            [tools / "esbuild", made[output], "--log-level=warning"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert parsed.stderr == ""
        before = sum(Path(tree.files[path]).stat().st_size for path in sources)
        assert (made[output].stat().st_size < 0.9 * before) is minify
        for licence in ("jQuery JavaScript Library", "Bootstrap"):
            text = made[output].read_text()
            assert licence in text or output.endswith(".css")
    acorn = [tools / "acorn", "--silent", "--ecma2022", made["all.js"]]
    subprocess.run(acorn, check=True)
