import base64
import html
import json
import random
import shlex
import string
import subprocess
import textwrap
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.redaction import MASK, RedactingStream, Redactor
from app.domain.spellings import variants, without_controls, without_nul

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
        json.dumps(SECRET).replace("/", "\\/"),
        repr(SECRET),
        quote_plus(SECRET),
        quote(SECRET, safe="").replace("%2F", "%2f").replace("%5C", "%5c").replace("%2B", "%2b"),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        html.escape(SECRET),
        html.escape(SECRET).replace("&#x27;", "&#39;"),
        html.escape(SECRET).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        html.escape(SECRET, quote=False),
        SECRET.replace("'", "'\\''"),
    ],
)
def test_a_secret_is_masked_in_every_spelling(spelled):
    cleaned = Redactor([SECRET]).clean(f"before {spelled} after")
    assert cleaned.startswith("before ")
    assert MASK in cleaned
    assert spelled.strip('"') not in cleaned


RARE = "p$ä\"s`s/'wörd\\€:(+),~#ok\U0001f511"


def in_json(text, *, ascii_only=True):
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


@pytest.mark.parametrize(
    "spelled",
    [
        "".join(f"\\{one}" if one in '$`"\\' else one for one in RARE),
        subprocess.run(
            ["bash", "-c", 'printf %q "$1"', "bash", RARE],
            env={"LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout,
        RARE.replace("'", "''"),
        in_json(in_json(RARE)),
        in_json(in_json(RARE).replace("/", "\\/")),
        in_json(in_json(RARE, ascii_only=False), ascii_only=False),
        in_json(in_json(RARE, ascii_only=False)),
        in_json(RARE)
        .replace("\\u00e4", "\\u00E4")
        .replace("\\u00f6", "\\u00F6")
        .replace("\\u20ac", "\\u20AC")
        .replace("\\ud83d\\udd11", "\\uD83D\\uDD11"),
        quote(RARE, safe="!$&'()*+,;="),
        quote(RARE, safe="!$&'()*+,;=:"),
        base64.b64encode(RARE.encode()).decode(),
    ],
)
def test_nothing_of_a_secret_is_left_of_rarer_spellings(spelled):
    assert Redactor([RARE]).clean(f"before {spelled} after") == f"before {MASK} after"


@pytest.mark.parametrize("secret", ["password", "password1", "password?~", "x>y?z~ü/longer"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_what_echo_prints_has_no_tail(secret, encode):
    text = encode(f"{secret}\n".encode()).decode()
    assert Redactor([secret]).clean(f"{text}\n") == f"{MASK}\n"
    assert Redactor([secret]).clean(f"X={text}.") == f"X={MASK}."


def test_a_secret_has_a_bounded_number_of_spellings():
    assert len(variants(RARE)) < 80
    assert len(variants("only-letters-1")) < 30


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


@pytest.mark.parametrize("secret", [SECRET, "with space", "it's", "tab\tand 'quote'"])
def test_what_bash_shows_of_its_commands_holds_no_secret(secret):
    secret = f"{secret}-longer"
    script = 'set -x; : "$SECRET" "user:$SECRET"; printf "%q\\n" "$SECRET"'
    done = subprocess.run(
        ["bash", "-c", script], env={"SECRET": secret}, capture_output=True, text=True, check=True
    )
    for shown in (done.stderr, done.stdout):
        cleaned = Redactor([secret]).clean(shown)
        assert MASK in cleaned
        assert "longer" not in cleaned


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("after", ["", "\n", "@host"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_longer_text_shows_nothing_of_the_secret_in_it(before, after, encode):
    secret = "correct?horse>battery~staple"
    text = encode(f"{before}{secret}{after}".encode()).decode()
    cleaned = Redactor([secret]).clean(text)
    assert MASK in cleaned
    # A character at each side holds bits of the neighbour too.
    assert len(cleaned.replace(MASK, "")) <= len(encode((before + after).encode())) + 4


@pytest.mark.parametrize("width", [60, 64, 76])
@pytest.mark.parametrize("before", range(0, 80, 7))
@pytest.mark.parametrize("length", [20, 200])
def test_base64_in_lines_shows_at_most_three_characters_of_a_secret(width, before, length):
    secret = "".join(random.Random(length).choices(string.ascii_letters, k=length))
    encoded = base64.b64encode((("\1" * before) + secret + "\1" * 40).encode()).decode()
    lines = "\n".join(textwrap.wrap(encoded, width)) + "\n"
    stream = RedactingStream(Redactor([secret]))
    for cleaned in (Redactor([secret]).clean(lines), "".join(map(stream.feed, lines))):
        left = cleaned.replace(MASK, "").replace("\n", "")
        harmless = len(base64.b64encode(b"\1" * (before + 40)))
        assert len(left) <= harmless + 4 + 3


def test_hex_in_lines_as_xxd_writes_it_is_masked():
    secret = "".join(random.Random(1).choices(string.ascii_letters, k=100))
    lines = "\n".join(textwrap.wrap(f"user:{secret}\n".encode().hex(), 60)) + "\n"
    cleaned = Redactor([secret]).clean(lines)
    assert len(cleaned.replace(MASK, "").replace("\n", "")) <= len(b"user:\n".hex())


def test_commits_and_ordinary_words_are_left_alone():
    text = "0123456789abcdef0123456789abcdef01234567\nrunning\nsecret\npassword\n"
    assert Redactor(["password1", "a secret of mine"]).clean(text) == text


def test_the_short_lines_of_a_secret_are_no_secrets():
    assert Redactor(["{\n'' \n}}\nlong enough"]).clean("{ '' }} long") == "{ '' }} long"


@given(st.lists(st.integers(1, 9), max_size=20))
def test_a_secret_that_begins_another_does_not_let_its_rest_through(cuts):
    secrets = ["abcdef", "abcdefghij", "uvwxabcdef"]
    text = rest = "1 abcdefghij 2 uvwxabcdef 3 abcdef 4"
    stream, shown = RedactingStream(Redactor(secrets)), ""
    for cut in cuts:
        shown += stream.feed(rest[:cut])
        rest = rest[cut:]
    assert shown + stream.feed(rest) + stream.flush() == Redactor(secrets).clean(text)
    assert Redactor(secrets).clean(text) == f"1 {MASK} 2 {MASK} 3 {MASK} 4"


def _best_of(times, work):
    def once():
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(times))


def test_sixteen_kilobytes_with_twenty_secrets_take_little_time():
    letters, chance = string.ascii_letters + string.digits + "/+'&", random.Random(1)
    redactor = Redactor("".join(chance.choices(letters, k=24)) for _ in range(20))
    text = ("Collecting package 1.2.3 from https://example.org/simple/ (25 kB)\n" * 300)[:16384]
    # Measured at 0.6 ms; the bound leaves room for a busy machine.
    assert _best_of(20, lambda: redactor.clean(text)) < 0.01


def test_controls_leave_a_text_but_lines_and_tabs_stay():
    assert without_controls("a\0b\x1b[31m\r\n\tc\x9b\x7f") == "a\ufffdb[31m\n\tc"
    assert without_nul("a\0b\x1b") == "a\ufffdb\x1b"
