"""Stands in for the API: readiness, and the requests that `up --demo` makes."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN"])
KEY = FOLDER / "identity.pub"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/readyz":
            self.answer(200, {})
        elif self.path == "/v1/identity":
            self.answer(200, {"authorized_keys": KEY.read_text()})
        elif self.path.startswith("/v1/tokens"):
            self.answer(200, {"items": []})
        else:
            known = self.made().get(self.path.rpartition("/")[2])
            self.answer(200 if known else 404, known)

    def do_POST(self):
        body = self.body()
        self.keep(body["name"], body)
        self.answer(201, body)

    def do_PATCH(self):
        """A port that somebody has taken meanwhile is another one at the next start."""
        name = self.path.rpartition("/")[2]
        changed = {**self.made()[name], **self.body()}
        self.keep(name, changed)
        self.answer(200, changed)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def keep(self, name, body):
        self.file().write_text(json.dumps({**self.made(), name: body}))

    def made(self):
        """What was made of that kind, by name."""
        return json.loads(self.file().read_text()) if self.file().exists() else {}

    def file(self):
        return FOLDER / f"{self.path.split('/')[2]}.json"

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    address = (os.environ["LIFTLOCK_HOST"], int(os.environ["LIFTLOCK_PORT"]))
    ThreadingHTTPServer(address, Handler).serve_forever()
