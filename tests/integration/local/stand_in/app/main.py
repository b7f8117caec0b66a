"""Stands in for the API: readiness, and the requests that `up --demo` makes."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOSTS = Path(os.environ["STAND_IN"]) / "hosts.json"
KEY = Path(os.environ["STAND_IN"]) / "identity.pub"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        hosts = json.loads(HOSTS.read_text()) if HOSTS.exists() else {}
        known = hosts.get(self.path.rpartition("/")[2])
        if self.path == "/readyz":
            self.answer(200, {})
        elif self.path == "/v1/identity":
            self.answer(200, {"authorized_keys": KEY.read_text()})
        elif self.path.startswith("/v1/tokens"):
            self.answer(200, {"items": []})
        else:
            self.answer(200 if known else 404, known)

    def do_POST(self):
        hosts = json.loads(HOSTS.read_text()) if HOSTS.exists() else {}
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hosts[body["name"]] = body
        HOSTS.write_text(json.dumps(hosts))
        self.answer(201, body)

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    address = (os.environ["LIFTLOCK_HOST"], int(os.environ["LIFTLOCK_PORT"]))
    ThreadingHTTPServer(address, Handler).serve_forever()
