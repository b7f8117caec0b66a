"""The visitors of the demo: what they count as answered, and what as failed."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples.visitors import VISITORS, Visitors
from tests.support.servers import wait_until

PAGE = "<dt>App server port</dt><dd>20001</dd>"


class Page(BaseHTTPRequestHandler):
    """Answers as the test says; the connection stays open."""

    protocol_version = "HTTP/1.1"
    status, text, length = 200, PAGE, len(PAGE)

    def do_GET(self):
        self.server.names.add(self.headers["Host"])
        self.send_response(self.status)
        self.send_header("Content-Length", str(self.length))
        self.end_headers()
        self.wfile.write(self.text.encode())
        self.close_connection = self.length != len(self.text)

    def log_message(self, *words):
        """Nothing."""


@pytest.fixture
def visit():
    """Let visitors come to a site that answers so, until each of them has counted something."""

    def run(**answer):
        handler = type("Answer", (Page,), answer)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.names = set()
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            with Visitors(server.server_port, "shop.localhost") as visitors:
                wait_until(
                    lambda: visitors.answered + visitors.failed.total() >= VISITORS, "visitors"
                )
            server.shutdown()
            thread.join()
        assert server.names == {f"shop.localhost:{server.server_port}"}
        return visitors

    return run


def test_pages_are_counted_by_the_app_server_that_made_them(visit):
    visitors = visit()
    assert not visitors.failed
    assert visitors.servers == {"20001": visitors.answered}
    assert "failed   0\n" in str(visitors)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"status": 502}, "status 502"),
        ({"text": "welcome", "length": 7}, "another page"),
        ({"length": len(PAGE) + 1}, "IncompleteRead"),
    ],
    ids=["wrong status", "wrong page", "half a page"],
)
def test_a_wrong_answer_is_a_failure_with_its_reason(visit, answer, what):
    visitors = visit(**answer)
    assert visitors.answered == 0
    assert [what in reason for reason in visitors.failed] == [True]


def test_a_site_that_is_not_there_is_a_failure():
    with Visitors(1, "shop.localhost") as visitors:
        wait_until(lambda: visitors.failed.total() > 0, "a failure")
    assert visitors.answered == 0
