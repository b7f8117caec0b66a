"""What a closed site says, to people and to programs."""

import json

from worker.routers.page import pages


def test_a_message_is_text_in_html():
    found = pages("<script>alert(\"1\")</script> & 'more'")["PAGE_HTML"]
    assert "<script>" not in found
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#x27;more&#x27;" in found


def test_a_message_is_text_in_json():
    found = json.loads(pages('a "b"\n\\ ü')["PAGE_JSON"])
    assert (found["detail"], found["status"]) == ('a "b"\n\\ ü', 503)


def test_control_characters_and_what_is_too_long_are_left_out():
    found = json.loads(pages("a\0b\x1b" + "c" * 2000)["PAGE_JSON"])["detail"]
    assert found == "ab" + "c" * 998
