"""The static files of a provision: collected, compiled, and released before anything is started."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from app.domain.asset_release import AssetPlace
from app.domain.recipe_static import Static
from worker.steps import compiling, preflight, recipe_step
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.recipe_step import Surroundings
from worker.steps.step import Step


def is_released(static: Static | None, settings: Mapping[str, str]) -> bool:
    """Whether the recipe, or a setting of the instance, wants an asset release."""
    if static is None:
        return False
    return static.publish or settings.get(static.publish_setting or "") == "1"


def not_configured() -> Step:
    """The first step of a provision that no worker like this one can carry out."""
    title = "Find a place for asset releases"
    return Step("assets-configured", title, preflight.assets_not_configured(), again=True)


def collect(static: Static, around: Surroundings) -> Iterator[Step]:
    if static.collect:
        command = recipe_step.script(static.collect, around, timeout=1800)
        yield Step("static-collect", "Collect the static files", command)
    if static.path:
        there = recipe_step.folder_exists(around.site, static.path)
        yield Step("static-there", f"Find the static files in {static.path}", there)
    if static.path and static.compilers:
        compiled = compiling.compile_files(static.path, static.compilers, around)
        yield Step("static-compile", "Compile static files", compiled)


def release(
    static: Static, around: Surroundings, place: AssetPlace, app_server: UUID
) -> Iterator[Step]:
    """Each may be stopped and repeated, and none is undone: what is published is immutable and in
    nobody's way. Collecting garbage is what removes it, when no manifest names it any more.
    """
    site = around.site
    tree = f"{site.release_dir}/{static.path}"
    released = ReleaseAssets(tree, site.release_dir, static, place, site.number, app_server)
    yield Step("assets-release", f"Publish the static files in {place.store}", released)
    to = f"{site.release_dir}/{static.manifest_path}"
    title = f"Put the manifest at {static.manifest_path}"
    yield Step(
        "assets-manifest",
        title,
        PlaceManifest(place, site.number, app_server, to, site.release_dir),
    )
    # A CDN may lag behind its store: the engine tries this a few times.
    asked = VerifyAssets(place, site.number, app_server)
    yield Step("assets-verify", f"Ask for every file at {place.base_url}", asked)
