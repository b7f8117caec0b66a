"""A site whose revisions break each in its own way, once visitors come; the standard library only.

Runs alone on a host, from a repository of its own, beside a file `revision.json`.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


class Handler(BaseHTTPRequestHandler):
    revision: ClassVar[dict[str, Any]] = {}
    meeting = threading.Lock()

    def do_GET(self):
        self.meet()
        if self.path == "/slow":
            time.sleep(1)
        body = self.revision["says"].encode()
        self.send_response(500 if self.path == self.revision.get("broken") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def meet(self):
        """The first who comes through a router begins the time that is left to live."""
        seconds = self.revision.get("lives")
        through = "X-Forwarded-For" in self.headers
        if seconds and through and self.meeting.acquire(blocking=False):
            threading.Timer(seconds, os._exit, [1]).start()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Handler.revision = json.loads(Path("revision.json").read_text())
    Server((os.environ["BIND"], int(os.environ["PORT"])), Handler).serve_forever()
