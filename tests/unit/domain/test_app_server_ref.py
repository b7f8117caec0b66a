"""How people and programs name an app server."""

from uuid import UUID

import pytest

from app.domain.app_server import parse_ref

ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(ID, UUID(ID)), ("guestbook:2", ("guestbook", 2)), ("my-shop:107", ("my-shop", 107))],
)
def test_an_app_server_has_an_id_or_an_instance_and_a_number(text, expected):
    assert parse_ref(text) == expected


@pytest.mark.parametrize(
    "text", ["", "guestbook", "guestbook:", "guestbook:0", "guestbook:2:3", ":2", "Shop:1", "s:1\n"]
)
def test_anything_else_names_none(text):
    with pytest.raises(ValueError):
        parse_ref(text)
