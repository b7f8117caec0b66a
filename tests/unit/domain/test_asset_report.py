"""What a worker tells of an asset release is bounded and clean before it is kept."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.asset_release import AssetReleaseStatus
from app.domain.asset_report import MOST_KEPT, is_repeat
from app.domain.redaction import MASK, Redactor
from tests.support.asset_reports import MISSING, failed, published

SECRET = "very-secret-value"
CLEAN = Redactor([SECRET]).clean
PUBLISHED, VERIFIED, FAILED = AssetReleaseStatus


def test_the_words_of_the_note_become_those_of_the_table():
    report = published()
    assert (report.files, report.new_files, report.reused_files) == (12, 3, 9)
    assert (report.bytes, report.new_bytes) == (3_000_000_000, 2_500_000_000)
    assert (report.warnings, report.warnings_total, report.errors_total) == ([MISSING], 1, 0)


def test_a_failure_may_know_nothing_but_its_errors():
    report = failed()
    assert (report.status, report.hash, report.files, report.base_url) == (FAILED, None, 0, None)
    assert (report.errors, report.errors_total) == ([MISSING], 1)


@pytest.mark.parametrize("kind", ["warnings", "errors"])
def test_many_problems_are_counted_and_the_first_are_kept(kind):
    many = [{**MISSING, "line": line} for line in range(MOST_KEPT + 5)]
    report = asdict(published(**{kind: many}))
    assert report[kind] == many[:MOST_KEPT]
    assert report[f"{kind}_total"] == MOST_KEPT + 5


@pytest.mark.parametrize("kind", ["warnings", "errors"])
def test_the_worker_may_have_counted_more_than_it_tells(kind):
    report = asdict(published(**{kind: [MISSING], f"{kind}_total": 400_000}))
    assert (report[kind], report[f"{kind}_total"]) == ([MISSING], 400_000)


@pytest.mark.parametrize(
    "sign", [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
)
def test_what_turns_the_order_of_a_line_is_made_visible(sign):
    told = {**MISSING, "message": f"a{sign}b", "nearest": [sign]}
    [problem] = published(warnings=[told]).warnings
    assert problem["message"] == f"a\\u{ord(sign):04x}b"
    assert problem["nearest"] == [f"\\u{ord(sign):04x}"]


def test_a_long_message_is_cut_and_says_so():
    [problem] = published(warnings=[{**MISSING, "message": "x" * 1_000_000}]).warnings
    assert len(problem["message"]) == 4_000
    assert problem["message"].endswith("…")


def test_a_secret_at_the_cut_leaves_no_part_of_it():
    said = "x" * 3_990 + SECRET + "y" * 100
    [problem] = published(clean=CLEAN, warnings=[{**MISSING, "message": said}]).warnings
    assert SECRET[:6] not in problem["message"]


def test_the_code_of_a_problem_is_never_redacted():
    [problem] = published(clean=Redactor(["missing-reference"]).clean, warnings=[MISSING]).warnings
    assert problem["code"] == "missing-reference"


TEXTS = st.text(max_size=20).map(lambda text: f"{text}{SECRET}{text}")
PROBLEMS = st.fixed_dictionaries(
    {"code": st.just("missing-map"), "message": TEXTS},
    optional={
        "file": TEXTS,
        "reference": TEXTS,
        "nearest": st.lists(TEXTS),
        "line": st.integers(1),
    },
)


@given(warnings=st.lists(PROBLEMS, max_size=3), errors=st.lists(PROBLEMS, max_size=3))
def test_no_text_of_a_problem_shows_a_secret(warnings, errors):
    urls = {"base_url": f"https://{SECRET}/", "manifest_url": f"https://{SECRET}/m"}
    report = published(clean=CLEAN, warnings=warnings, errors=errors, **urls)
    assert SECRET not in str(asdict(report))
    assert report.base_url == f"https://{MASK}/"
    assert [one.keys() for one in report.warnings] == [one.keys() for one in warnings]


@pytest.mark.parametrize(
    ("known", "told", "repeat"),
    [
        (PUBLISHED, PUBLISHED, True),
        (VERIFIED, PUBLISHED, True),
        (VERIFIED, FAILED, True),
        (FAILED, PUBLISHED, False),
        (FAILED, FAILED, False),
        (PUBLISHED, FAILED, False),
    ],
)
def test_what_is_published_is_told_once(known, told, repeat):
    assert is_repeat(known, told) is repeat
