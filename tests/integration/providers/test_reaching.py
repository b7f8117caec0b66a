import asyncio

import pytest

from worker.providers.waiting import answers_ssh


@pytest.mark.parametrize(
    ("greeting", "expected"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", True),
        (b"220 mail ready\r\n", False),
        (b"SS", False),
        (b"", False),
    ],
)
async def test_only_what_begins_to_speak_ssh_answers(greeting, expected):
    async def greet(reader, writer):
        writer.write(greeting)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await answers_ssh("127.0.0.1", port) is expected
    assert not await answers_ssh("127.0.0.1", port)
