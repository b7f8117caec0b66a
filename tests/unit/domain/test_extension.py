"""What a change of one extension means for the others, and what is told of one that fails."""

import json
from dataclasses import replace

import pytest

from app.domain import extension
from app.domain.extension import CannotChange, Change, Extension, PackageSource


def one(name: str, *requires: str, enabled: bool = True, version: str = "1.0") -> Extension:
    source = PackageSource(name.title(), version)
    return Extension(name, version, source, enabled=enabled, requires=requires)


def states(change: Change) -> list[str]:
    """The set of the new release; what is disabled is in brackets."""
    return [each.name if each.enabled else f"({each.name})" for each in change.after]


def refused(code: str) -> pytest.RaisesExc[CannotChange]:
    return pytest.raises(CannotChange, check=lambda error: error.code == code)


def test_a_traceback_is_found_behind_what_a_program_left_unfinished():
    output = "  Applying tags.0001...Traceback (most recent call last):\nValueError: bad\n"
    found = extension.load_error("It failed.", output).splitlines()
    assert found[:3] == ["It failed.", "", "Traceback (most recent call last):"]


def test_an_extension_is_read_back_from_its_document_as_it_was():
    source = PackageSource("Django_Tables2", "2.7", url="https://a.example/t.zip", sha256="ab")
    made = Extension("django-tables2", "2.7", source, settings={"APP": "tables"}, requires=("a",))
    document = json.loads(json.dumps(made.document()))
    assert Extension.from_document(document) == made
    assert "wheel" not in document["source"]


def test_scripts_find_what_they_may_need_and_nothing_of_where_it_came_from():
    made = replace(one("tags", "base"), settings={"APP": "taggit"})
    listed = {"name": "tags", "version": "1.0", "enabled": True, "settings": {"APP": "taggit"}}
    assert made.listed() == listed


@pytest.mark.parametrize("name", ["Django-Tables2", "django_tables2", "django.-_Tables2"])
def test_a_package_has_one_name_however_it_is_written(name):
    assert extension.normalized(name) == "django-tables2"


def test_pip_is_told_an_exact_version_an_archive_with_its_digest_or_a_file():
    source = PackageSource("Tags", "1.0")
    assert extension.requirement(source) == "Tags==1.0"
    archive = replace(source, url="https://a.example/tags.zip", sha256="ab12")
    assert extension.requirement(archive) == "Tags @ https://a.example/tags.zip#sha256=ab12"
    wheel = replace(source, wheel="tags-1.0-py3-none-any.whl", sha256="ab12")
    assert extension.requirement(wheel, "/srv/tags-1.0-py3-none-any.whl") == (
        "/srv/tags-1.0-py3-none-any.whl"
    )


def test_a_new_extension_comes_last_and_is_enabled():
    change = extension.install([one("a")], one("b"))
    assert states(change) == ["a", "b"]
    assert change.enable == ("b",)
    assert (change.disable, change.uninstall) == ((), ())


def test_requirements_are_enabled_first_the_deepest_before_the_others():
    have = [one("b", "c", enabled=False), one("c", enabled=False)]
    change = extension.install(have, one("a", "b"))
    assert states(change) == ["c", "b", "a"]
    assert change.enable == ("c", "b", "a")


@pytest.mark.parametrize("version", ["0.5", "100.0"])
def test_another_version_takes_the_place_of_the_one_before_be_it_older_or_newer(version):
    have = [one("a", version=version), one("b", "a")]
    change = extension.install(have, one("a"))
    assert states(change) == ["a", "b"]
    assert change.after[0].version == "1.0"
    assert change.enable == ("a",)


def test_what_is_disabled_and_not_required_stays_disabled():
    change = extension.install([one("a", enabled=False)], one("b"))
    assert states(change) == ["(a)", "b"]


def test_a_set_is_put_in_the_order_of_enabling():
    have = [one("c", "b", "lost"), one("a"), one("b")]
    assert [each.name for each in extension.in_order_of_enabling(have)] == ["a", "b", "c"]


def test_a_requirement_that_is_not_installed_is_named_with_the_command_that_installs_it():
    with refused("requirement-missing") as caught:
        extension.install([one("b", "c")], one("a", "b"))
    assert caught.value.detail == "b requires c, and the instance does not have it."
    assert caught.value.hint("shop") == "liftlock extensions install shop c VERSION"


def test_extensions_that_would_require_each_other_are_refused():
    with refused("requirement-circle") as caught:
        extension.install([one("a"), one("b", "a")], one("a", "b"))
    assert "a -> b -> a" in caught.value.detail


def test_enabling_what_is_enabled_runs_no_hook():
    change = extension.enable([one("a")], "a")
    assert (states(change), change.enable) == (["a"], ())


def test_enabling_one_enables_what_it_requires():
    have = [one("a", "b", enabled=False), one("b", enabled=False)]
    change = extension.enable(have, "a")
    assert (states(change), change.enable) == (["b", "a"], ("b", "a"))


def test_dependents_are_disabled_first_the_farthest_before_the_others_and_stay_installed():
    have = [one("a"), one("b", "a"), one("c", "b"), one("d")]
    change = extension.disable(have, "a")
    assert states(change) == ["(a)", "(b)", "(c)", "d"]
    assert change.disable == ("c", "b", "a")
    assert change.uninstall == ()


def test_a_dependent_that_is_disabled_already_is_not_disabled_again():
    change = extension.disable([one("a"), one("b", "a", enabled=False)], "a")
    assert change.disable == ("a",)


def test_what_is_uninstalled_is_disabled_before_and_its_dependents_only_disabled():
    change = extension.uninstall([one("a"), one("b", "a")], "a")
    assert states(change) == ["(b)"]
    assert (change.disable, change.uninstall) == (("b", "a"), ("a",))


def test_one_that_lost_its_requirement_can_be_uninstalled_and_not_enabled():
    have = list(extension.uninstall([one("a"), one("b", "a")], "a").after)
    assert extension.uninstall(have, "b").after == ()
    with refused("requirement-missing"):
        extension.enable(have, "b")


@pytest.mark.parametrize("change", [extension.disable, extension.uninstall])
def test_what_is_always_enabled_is_neither_disabled_nor_uninstalled(change):
    with refused("extension-always-enabled") as caught:
        change([one("a")], "a", always={"a"})
    assert "it is always enabled" in caught.value.detail


@pytest.mark.parametrize("change", [extension.disable, extension.uninstall])
def test_nor_is_what_an_always_enabled_one_requires(change):
    with refused("extension-always-enabled") as caught:
        change([one("a"), one("b", "a")], "a", always={"b"})
    assert "b requires it, and that is always enabled" in caught.value.detail


@pytest.mark.parametrize("change", [extension.enable, extension.disable, extension.uninstall])
def test_an_extension_that_is_not_there_is_not_found_and_the_nearest_one_is_named(change):
    with refused("not-found") as caught:
        change([one("tagging")], "taging")
    assert "did you mean `tagging`?" in caught.value.detail


def test_the_load_error_is_a_message_an_empty_line_and_the_last_traceback():
    first = "Traceback (most recent call last):\n  first\nKeyError: 1\n"
    last = "Traceback (most recent call last):\n  File x\nImportError: no\n"
    output = f"installing\n{first}\nDuring handling of it:\n\n{last}"
    error = extension.load_error("It failed.", output)
    assert error == f"It failed.\n\n{last.strip()}"


def test_without_a_traceback_the_last_thirty_lines_are_kept():
    output = "".join(f"line {number}\n" for number in range(100))
    error = extension.load_error("It failed.", output)
    assert error.startswith("It failed.\n\nline 70\n")
    assert error.endswith("line 99")


def test_a_step_that_said_nothing_leaves_the_message_alone():
    assert extension.load_error("It failed.", "\n") == "It failed."


def test_a_long_traceback_keeps_its_beginning_and_its_end():
    output = "Traceback (most recent call last):\n" + "  File x\n" * 9_000 + "ValueError: bad"
    error = extension.load_error("It failed.", output)
    assert len(error) == 16_000
    assert error.startswith("It failed.\n\nTraceback (most recent call last):\n...\n")
    assert error.endswith("ValueError: bad")
