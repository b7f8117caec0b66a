import base64
import json
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.redaction import MASK, RedactingStream, Redactor

SECRET = "p4ss/w0rd'\"+ \\x"


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET, safe=""),
        shlex.quote(SECRET),
        json.dumps(SECRET),
    ],
)
def test_a_secret_is_masked_in_every_spelling(spelled):
    cleaned = Redactor([SECRET]).clean(f"before {spelled} after")
    assert cleaned.startswith("before ")
    assert MASK in cleaned
    assert spelled.strip('"') not in cleaned


def test_a_secret_of_several_lines_is_masked_line_by_line():
    secret = "-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----"
    cleaned = Redactor([secret]).clean(f"x\n{secret}\ny")
    assert "abcdefghijkl" not in cleaned
    assert cleaned.splitlines()[0] == "x"


def test_values_inside_json_are_masked_and_keys_kept():
    cleaned = Redactor(["topsecret"]).clean_json({"topsecret": ["a topsecret", 1, None]})
    assert cleaned == {"topsecret": [f"a {MASK}", 1, None]}


@given(st.lists(st.integers(1, 30), max_size=20), st.text(alphabet="ab\n", max_size=80))
def test_a_secret_cut_anywhere_never_leaves_the_stream(cuts, noise):
    secret = "0123456789"
    text = noise + secret + noise + secret
    stream, shown, rest = RedactingStream(Redactor([secret])), "", text
    for cut in cuts:
        shown += stream.feed(rest[:cut])
        rest = rest[cut:]
    shown += stream.feed(rest) + stream.flush()
    assert shown == text.replace(secret, MASK)


def test_a_finished_line_is_shown_at_once():
    stream = RedactingStream(Redactor(["x" * 400]))
    assert stream.feed("progress 1\nprogr") == "progress 1\n"


def test_without_secrets_nothing_is_held_back():
    assert RedactingStream(Redactor()).feed("abc") == "abc"
