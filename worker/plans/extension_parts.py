"""What plans do with the extensions of one app server: built in, proven, stamped."""

from collections.abc import Iterator

from app.domain import extension_sighting
from app.domain.asset_release import IGNORED
from app.domain.extension import Extension
from app.domain.recipe_extension import Extensions
from app.domain.recipe_parts import Action
from worker.plans.deployment import Deployment, slug
from worker.steps import extension, recipe_step
from worker.steps.package import PlacePackage
from worker.steps.step import Failure, OnCancel, OnUnknown, Step


def listed(one: Deployment) -> Iterator[Step]:
    """Before the build, whose programs may ask which extensions there will be."""
    if one.recipe.extension:
        document = [each.listed() for each in one.extensions]
        title = "Write down the extensions of the release"
        yield Step("extensions-list", title, extension.keep_list(one.site, document))


def installed(one: Deployment) -> Iterator[Step]:
    """Each package, in the release's own environment."""
    section = one.recipe.extension
    for each in one.extensions if section else ():
        yield from _placed(one, each)
        for item in section.install if section else ():
            yield Step(
                slug("extension-install", each.name, item.name),
                f"Install {each.title}: {item.name}",
                extension.install(extension.around(one.surroundings, each), each, item),
                on_cancel=item.on_cancel or OnCancel.INTERRUPT,
                on_unknown=recipe_step.on_unknown(
                    item, one.surroundings, otherwise=OnUnknown.REPEAT
                ),
            )


def media(one: Deployment) -> Iterator[Step]:
    """Every file that a package brings for browsers, compared with what lies where it is served."""
    section = one.recipe.extension
    if section is None or section.media is None:
        return
    # No site collects what it takes no notice of.
    for each in (each for each in one.extensions if each.enabled):
        title = f"Compare the media of {each.title} with its package, file by file"
        around = extension.around(one.surroundings, each)
        ignore = one.recipe.static.ignore if one.recipe.static else IGNORED
        compared = extension.media(around, each, section.media, ignore=ignore)
        yield Step(slug("extension-media", each.name), title, compared)


def looks(one: Deployment) -> Iterator[Step]:
    """What serves is looked at; where nobody can look, the others are looked at all the same."""
    section = one.recipe.extension
    for each in (each for each in one.extensions if section and each.enabled):
        about = extension_sighting.fact(one.number, each.name)
        ignore = one.recipe.static.ignore if one.recipe.static else IGNORED
        yield Step(
            slug("extension-look", each.name, str(one.number)),
            f"Look at {each.title} in the release of {one.title}",
            extension.look(
                extension.around(one.surroundings, each),
                each,
                section.media if section else None,
                about,
                ignore=ignore,
            ),
            dispensable=True,
            finds=f"{about}_unseen",
        )


def stamps(one: Deployment) -> Iterator[Step]:
    """Last of all: a release with a stamp has its extension whole."""
    for each in one.extensions if one.recipe.extension else ():
        yield Step(
            slug("extension-stamp", each.name),
            f"Write the stamp of {each.title}, and read it back",
            extension.stamp(one.site, each),
            undo=extension.forget_stamp(one.site, each),
        )


def hooks(
    verb: str, one: Deployment, each: Extension, *, undo: str | None = None
) -> Iterator[Step]:
    """The recipe's scripts for `enable`, `disable` or `uninstall`, in the release of `one`.

    `undo` is the verb that takes them back: all its scripts, each guarded by itself.
    """
    section = one.recipe.extension
    if section is None:
        return
    around = extension.around(one.surroundings, each)
    back = undo and extension.guarded(
        around, each, _actions(section, undo), _failed(one, each, undo)
    )
    for number, item in enumerate(_actions(section, verb)):
        yield Step(
            slug("extension", verb, each.name, item.name),
            f"{verb.capitalize()} {each.title}: {item.name}",
            extension.hook(around, each, item, _failed(one, each, verb)),
            # The first is undone last, and then the whole list is.
            undo=back or None if number == 0 else None,
            on_cancel=item.on_cancel or OnCancel.FINISH,
            on_unknown=recipe_step.on_unknown(item, around, otherwise=OnUnknown.ASK),
        )


def _placed(one: Deployment, each: Extension) -> Iterator[Step]:
    if each.source.wheel and each.source.sha256:
        to = extension.wheel_path(one.site, each)
        place = PlacePackage(each.source.sha256, to)
        yield Step(slug("extension-wheel", each.name), f"Bring {each.source.wheel}", place)


def _actions(section: Extensions, verb: str) -> tuple[Action, ...]:
    return {
        "enable": section.enable,
        "disable": section.disable,
        "uninstall": section.uninstall,
    }[verb]


def _failed(one: Deployment, each: Extension, verb: str) -> Failure:
    return Failure("extension-failed", f"{each.title} could not be {verb}d", one.hint)
