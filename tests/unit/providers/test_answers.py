import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_provider import HOST_KEY, made_as
from worker.providers.answers import WrongAnswer, read_gone, read_listed, read_made
from worker.providers.provider import Listed

MACHINE = {
    "id": "i-1",
    "address": "192.0.2.1",
    "port": 22,
    "user": "deploy",
    "host_key": HOST_KEY,
}
LISTED = {"tag": "t-1", "id": "i-1"}
FIELDS = (*MACHINE, "tag", "created")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([HOST_KEY, "\ud800", "192.0.2.1", "2026-11-21T12:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
MADE = made_as("t-1", machine_id="i-1")


def made(**changes):
    return read_made(json.dumps({**MACHINE, **changes}).encode(), "t-1")


def listed(*machines):
    return read_listed(json.dumps({"machines": machines}).encode())


def test_a_machine_is_read():
    assert made() == MADE


def test_a_field_that_is_not_known_is_left_alone():
    assert made(region="north") == MADE


def test_the_comment_of_a_host_key_is_dropped():
    assert made(host_key=f"{HOST_KEY} root@web-1\n").host_key == HOST_KEY


@pytest.mark.parametrize("name", MACHINE)
def test_a_field_that_is_left_out_is_named(name):
    rest = {key: value for key, value in MACHINE.items() if key != name}
    with pytest.raises(WrongAnswer, match=f"left out the field `{name}`; fields found: `"):
        read_made(json.dumps(rest).encode(), "t-1")


@pytest.mark.parametrize(
    ("name", "value", "shown", "wanted"),
    [
        ("address", "no address", '"no address"', "give a host name"),
        ("address", "192.0.2.1; reboot", '"192.0.2.1; reboot"', "give a host name"),
        ("address", None, "null", "valid string"),
        ("port", "22", '"22"', "valid integer"),
        ("port", 0, "0", "greater than or equal to 1"),
        ("port", 65_536, "65536", "less than or equal to 65535"),
        ("port", True, "true", "valid integer"),
        ("user", "root; id", '"root; id"', "give a user name"),
        ("host_key", "ssh-ed25519 AAAA", '"ssh-ed25519 AAAA"', "the key is damaged"),
        ("host_key", "yes", '"yes"', "give one line such as"),
        ("host_key", None, "null", "wanted a key"),
        ("id", "", '""', "wanted a text of 1 to 200 characters"),
        ("id", 17, "17", "wanted a text of 1 to 200 characters"),
        ("id", "two\nlines", '"two\\nlines"', "wanted a text of 1 to 200 characters"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_its_value(name, value, shown, wanted):
    with pytest.raises(WrongAnswer) as caught:
        made(**{name: value})
    assert str(caught.value).startswith(f"answered `{name}`: {shown}")
    assert wanted in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"done", b"{", b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_json_is_shown(answer):
    with pytest.raises(WrongAnswer, match="which is no JSON"):
        read_made(answer, "t-1")


@pytest.mark.parametrize("answer", [b"[]", b"null", b'"yes"', b"3"])
def test_json_that_is_no_object_is_shown(answer):
    with pytest.raises(WrongAnswer, match="wanted an object"):
        read_gone(answer)


def test_half_a_character_is_shown_as_a_question():
    with pytest.raises(WrongAnswer, match=r'answered `address`: "\?": '):
        made(address="\ud800")


def test_a_long_answer_is_shown_in_part():
    with pytest.raises(WrongAnswer) as caught:
        read_made(b"x" * 100_000, "t-1")
    assert len(str(caught.value)) < 200


def test_a_secret_is_masked_before_the_answer_is_cut():
    with pytest.raises(WrongAnswer) as caught:
        read_made(b"x" * 70 + b"correct-horse-battery", "t-1")
    told = caught.value.told(lambda text: text.replace("correct-horse-battery", "[redacted]"))
    assert "corr" not in told


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.sampled_from([read_made, read_listed]))
def test_whatever_is_answered_is_taken_or_told_in_text_that_can_be_written(answer, read):
    text = json.dumps({**MACHINE, **answer, "machines": [{**LISTED, **answer}]}).encode()
    try:
        read(text, "t-1") if read is read_made else read(text)
    except WrongAnswer as error:
        str(error).encode()


def test_gone_is_said_outright():
    read_gone(b'{"gone": true}')


@pytest.mark.parametrize("value", ["false", "null", "1", '"true"'])
def test_anything_else_is_not_gone(value):
    with pytest.raises(WrongAnswer, match="wanted `true`"):
        read_gone(f'{{"gone": {value}}}'.encode())


def test_an_answer_without_gone_is_not_gone():
    with pytest.raises(WrongAnswer, match="left out the field `gone`; fields found: none"):
        read_gone(b"{}")


def test_a_list_of_none_is_read():
    assert listed() == ()


def test_a_machine_that_is_only_named_is_listed_without_the_rest():
    assert listed(LISTED) == (Listed("t-1", "i-1"),)


def test_a_machine_that_is_described_is_listed_as_it_was_made():
    created = "2026-11-21T12:00:00Z"
    (found,) = listed({**LISTED, **MACHINE, "created": created})
    assert found == Listed("t-1", "i-1", datetime(2026, 11, 21, 12, tzinfo=UTC), MADE)


def test_a_machine_that_is_described_in_part_is_refused():
    with pytest.raises(WrongAnswer, match="left out the field `port`"):
        listed({**LISTED, "address": "192.0.2.1"})


@pytest.mark.parametrize(
    "created",
    ["yesterday", "2026-11-21T12:00:00", 1_795_262_400, True, "0001-01-01T00:00:00+23:59"],
)
def test_a_time_that_is_none_or_has_no_zone_is_refused(created):
    with pytest.raises(WrongAnswer, match=r"`created`: .* wanted a time with its zone"):
        listed({**LISTED, "created": created})


@pytest.mark.parametrize("machines", ["null", "{}", '"none"'])
def test_machines_that_are_no_list_are_refused(machines):
    with pytest.raises(WrongAnswer, match="wanted a list"):
        read_listed(f'{{"machines": {machines}}}'.encode())


@pytest.mark.parametrize("machine", [None, "t-1", ["t-1"]])
def test_a_machine_that_is_no_object_is_refused(machine):
    with pytest.raises(WrongAnswer, match="among its machines, wanted an object"):
        listed(machine)


def test_a_machine_without_a_tag_is_refused():
    with pytest.raises(WrongAnswer, match="left out the field `tag`"):
        listed({"id": "i-1"})


def test_a_machine_may_tell_where_its_sites_listen():
    assert made(site_address="10.0.0.7").site_address == "10.0.0.7"


def test_sites_listen_on_the_loopback_of_a_machine_that_does_not_tell():
    assert made(site_address=None).site_address == "127.0.0.1"


def test_a_name_is_no_address_where_sites_listen():
    with pytest.raises(WrongAnswer, match="site_address"):
        made(site_address="web-1")
