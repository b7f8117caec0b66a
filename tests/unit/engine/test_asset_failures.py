"""What people read of a failed release: the words of a recipe, and commands safe to paste."""

import shlex

import pytest

from app.domain.asset_release import AssetPlace
from worker.assets.problem import AssetError, Problem
from worker.engine.assets.build import Crashed, Refused
from worker.engine.assets.failures import Failures

BASE_URL = "https://static.example/shop/"
FAILURES = Failures(AssetPlace("s3://b/shop", BASE_URL), "abc-3")


def refused(*codes, **more):
    return FAILURES.of(Refused([{"code": code, "message": f"{code}.", **more} for code in codes]))


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        (["missing-reference", "above-root", "not-utf-8"], "`lenient: true`"),
        (["bad-name"], "`ignore`"),
        (["name-clash", "bad-name"], "`ignore`"),
        (["source-not-found", "minify-failed"], "`bundles`"),
        (["bad-base-url"], "LIFTLOCK_ASSETS_URL"),
    ],
)
def test_the_advice_fits_every_problem(codes, wanted):
    assert wanted in refused(*codes).failure.hint


@pytest.mark.parametrize(
    "codes", [["bad-name"], ["missing-reference", "bad-name"], ["bundle-circle"], ["unheard-of"]]
)
def test_lenience_is_offered_only_where_it_helps(codes):
    assert "lenient" not in refused(*codes).failure.hint


def test_nearest_names_are_told_once():
    told = refused("missing-reference", message="no a.png; did you mean b.png?", nearest=["b.png"])
    assert told.detail == "no a.png; did you mean b.png?"
    assert refused("x", message="no a.png.", nearest=["b", "c"]).detail.endswith("Nearest: b, c.")


@pytest.mark.parametrize("name", ["css/$(touch pwn).css", "a'b;rm -rf ~.css", "a b?#%.css"])
def test_a_command_to_paste_is_one_word_whatever_a_file_is_called(name):
    hint = FAILURES.unverified([Problem("not-served", "no", file=name)]).failure.hint
    command = hint.removeprefix("See what answers: ").partition("; compare")[0]
    words = shlex.split(command)
    assert words[:2] == ["curl", "-I"]
    assert len(words) == 3
    assert not set("?#$ ';").intersection(words[2])


def test_a_base_url_that_cannot_be_asked_is_no_matter_of_files():
    hint = FAILURES.unverified([Problem("bad-base-url", "no http")]).failure.hint
    assert "curl" not in hint
    assert "LIFTLOCK_ASSETS_URL" in hint


def test_all_problems_are_counted_and_a_command_shows_the_rest():
    detail = refused(*["missing-reference"] * 1_234).detail
    assert detail.endswith("and 1,229 more: liftlock assets show shop abc-3")


def test_what_the_machine_did_is_told_as_that():
    failed = FAILURES.of(Crashed("it was killed"))
    assert (failed.failure.code, failed.detail) == ("assets-build-failed", "it was killed")


@pytest.mark.parametrize("codes", [["store-failed", "store-denied"], ["revision-differs"]])
def test_only_trouble_that_passes_is_tried_again(codes):
    failed = FAILURES.of(AssetError([Problem(code, "no") for code in codes]))
    assert failed.failure.code == "assets-publish-failed"
    assert failed.failure.hint == "Look at the store: s3://b/shop"
