"""Sources of bundles, and what is made of them."""

from pathlib import Path

import pytest

from app.domain.recipe_static import Bundle, Bundles
from worker.assets.bundles import bundling, css_bundle
from worker.assets.bundles.combining import Piece
from worker.assets.problem import AssetError
from worker.assets.tree import Tree, collect


class BundleSite:
    def __init__(self, folder):
        self.folder = folder
        (folder / "src").mkdir()

    def write(self, path, content):
        file = self.folder / "src" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def bundle(self, only=(), **bundles) -> Tree:
        tree = collect([self.folder / "src"], ()).tree
        scratch = self.folder / "scratch"
        return bundling.bundle(tree, Bundles(bundles=bundles), only=only, scratch=scratch)

    def text(self, output, *sources) -> str:
        made = Path(self.bundle(one=plain(output, *sources)).files[output])
        return made.read_bytes().decode()

    def problems(self, only=(), **bundles):
        with pytest.raises(AssetError) as caught:
            self.bundle(only, **bundles)
        return caught.value.problems


def plain(output, *sources):
    return Bundle(output=output, sources=sources, minify=False)


def css(text, source="a/b/x.css", output="all.css"):
    return css_bundle.combined([Piece(source, text)], output).text.removesuffix("\n")
