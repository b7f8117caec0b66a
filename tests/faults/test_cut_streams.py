"""A reader whose connection breaks after any byte goes on behind the last event that it has."""

import json
import socket
from urllib.parse import urlsplit

import pytest

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

END = "end"


class Reader:
    """Reads a job's stream over connections that it breaks itself."""

    def __init__(self, arena, job):
        at = urlsplit(arena.url)
        self.address = at.hostname, at.port
        self.request = (
            f"GET /v1/jobs/{job['id']}/events/stream HTTP/1.1\r\nHost: {at.netloc}\r\n"
            f"Authorization: Bearer {arena.token}\r\nAccept: text/event-stream\r\n"
        )

    def read(self, after=None, *, most=None):
        """At most so many bytes as they come over the wire; without a limit, up to the end."""
        resume = "" if after is None else f"Last-Event-ID: {after}\r\n"
        with socket.create_connection(self.address, 10) as connection:
            connection.sendall(f"{self.request}{resume}\r\n".encode())
            raw = b""
            while most is None or len(raw) < most:
                data = connection.recv(65536 if most is None else most - len(raw))
                raw += data
                if not data or (most is None and is_over(raw)):
                    break
        return raw


def is_over(raw):
    return any(event == END for event, _, _ in messages(raw))


def content(raw):
    """What of a chunked answer has arrived."""
    head, there, rest = raw.partition(b"\r\n\r\n")
    assert not there or b"transfer-encoding: chunked" in head.lower()
    whole = b""
    while rest:
        size, there, rest = rest.partition(b"\r\n")
        if not there:
            break
        whole += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return whole


def messages(raw):
    """Name, id and data of the messages that are complete."""
    found = []
    for block in content(raw).split(b"\n\n")[:-1]:
        lines = [line.partition(": ")[::2] for line in block.decode().split("\n")]
        fields = dict(line for line in lines if line[0])
        if "data" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append((fields.get("event"), number, json.loads(fields["data"])))
    return found


def events(raw):
    return [(number, data) for _, number, data in messages(raw) if number is not None]


def test_a_reader_cut_after_every_byte_misses_nothing_and_gets_nothing_twice(arena, site):
    job = site().request(dry_run=True)
    with arena.workers():
        arena.finished(job, seconds=20)
    reader = Reader(arena, job)
    expected = [(event["seq"], event) for event in arena.events(job)]
    whole = reader.read()
    assert events(whole) == expected
    assert messages(whole)[-1] == (END, None, {"status": "succeeded"})
    for cut in range(len(whole)):
        first = events(reader.read(most=cut))
        after = first[-1][0] if first else None
        rest = reader.read(after)
        assert first + events(rest) == expected, cut
        assert is_over(rest)


def test_a_reader_cut_again_and_again_while_the_job_runs(arena, site):
    job = site().request()
    reader, told, over, cut = Reader(arena, job), [], False, 400
    with arena.workers():
        while not over:
            raw = reader.read(told[-1][0] if told else None, most=cut)
            told += events(raw)
            over, cut = is_over(raw), 400 + (cut * 7) % 1009
    assert told == [(event["seq"], event) for event in arena.events(job)]
