"""Looking at a site through its host by name and by TLS."""

import asyncio
import signal
import ssl
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.sshd import running_sshd
from worker.remote.errors import HostUnreachable
from worker.steps.step import Command

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Signed by itself, for a name that nobody asks for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now - timedelta(days=8))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
    return file


@pytest.fixture
async def serve(certificate):
    """Start a site that answers with these bytes, with TLS or without; it keeps what it is asked.

    Without an answer it stays silent.
    """
    servers = []

    async def serve(answer, *, tls=True, address="127.0.0.1"):
        site = SimpleNamespace(request=b"", name=None, asked=asyncio.Event())

        async def one(reader, writer):
            site.request = await reader.readuntil(b"\r\n\r\n") if answer else await reader.read(1)
            site.asked.set()
            if not answer:
                await reader.read()
            writer.write(answer)
            writer.close()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _tls, name, _context: setattr(site, "name", name)
        servers.append(
            await asyncio.start_server(one, address, 0, **({"ssl": context} if tls else {}))
        )
        site.port = servers[-1].sockets[0].getsockname()[1]
        return site

    yield serve
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
def host(machine, connect):
    return connect(machine)


async def test_a_page_is_fetched_by_tls_whatever_the_certificate(host, serve):
    site = await serve(HELLO)
    answer = await host.http_get(site.port, "/up", timeout=9, name="shop.example", tls=True)
    assert (answer.status, answer.body, answer.problem) == (200, "hello", None)


async def test_the_name_is_asked_for_in_the_handshake_and_as_host(host, serve):
    site = await serve(HELLO)
    await host.http_get(site.port, "/up", timeout=9, name="shop.example", tls=True)
    assert site.name == "shop.example"
    assert b"\r\nHost: shop.example\r\n" in site.request


async def test_a_name_is_asked_for_without_tls_too(host, serve):
    site = await serve(HELLO, tls=False)
    await host.http_get(site.port, "/up", timeout=9, name="shop.example")
    assert b"\r\nHost: shop.example\r\n" in site.request


async def test_without_a_name_the_place_is_asked_for(host, serve):
    site = await serve(HELLO)
    answer = await host.http_get(site.port, "/", timeout=9, tls=True)
    assert (answer.status, site.name) == (200, None)
    assert f"\r\nHost: 127.0.0.1:{site.port}\r\n".encode() in site.request


async def test_a_site_at_another_address_of_the_host_is_reached(host, serve):
    site = await serve(HELLO, tls=False, address="127.0.0.2")
    answer = await host.http_get(site.port, "/", timeout=9, address="127.0.0.2")
    assert answer.status == 200
    assert f"\r\nHost: 127.0.0.2:{site.port}\r\n".encode() in site.request


async def test_a_page_that_ends_with_the_connection_is_whole(host, serve):
    site = await serve(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 50_000)
    answer = await host.http_get(site.port, "/", timeout=9, tls=True)
    assert (answer.status, len(answer.body)) == (200, 50_000)


async def test_a_large_page_by_tls_is_cut(host, serve):
    site = await serve(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 300_000)
    answer = await host.http_get(site.port, "/", timeout=9, tls=True)
    assert len(answer.body) == 65_536


async def test_what_comes_instead_of_a_handshake_is_told(host):
    async def greet(_reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await host.http_get(port, "/", timeout=9, tls=True)
    assert answer.problem == "it does not speak TLS: WRONG_VERSION_NUMBER"


async def test_who_hangs_up_in_the_handshake_is_a_problem(host):
    async def leave(reader, writer):
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await host.http_get(port, "/", timeout=9, tls=True)
    assert answer.status == 0
    assert answer.problem


async def test_silence_in_the_handshake_ends_after_the_timeout(host, serve):
    site = await serve(b"", tls=False)
    answer = await host.http_get(site.port, "/", timeout=0.3, tls=True)
    assert (answer.status, answer.problem) == (0, "no answer within 0.3 s")


async def test_a_connection_to_the_host_that_breaks_is_no_answer_of_the_site(
    server, connect, serve
):
    site = await serve(b"", tls=False)
    asking = asyncio.create_task(connect(server).http_get(site.port, "/", timeout=60))
    await site.asked.wait()
    await server.drop()
    with pytest.raises(HostUnreachable, match="the connection broke"):
        await asking


@pytest.mark.sshd
async def test_a_host_that_falls_silent_is_no_silence_of_the_site(
    tmp_path, connect, serve, output, monkeypatch
):
    monkeypatch.setattr("worker.remote.link.ANSWER", 0.3)
    site = await serve(b"", tls=False)
    async with running_sshd(tmp_path / "machine") as sshd:
        host = connect(sshd)
        await host.run(Command("true"), name="j-1", secrets={}, output=output)
        asking = asyncio.create_task(host.http_get(site.port, "/", timeout=1))
        await site.asked.wait()
        sshd.signal_sessions(signal.SIGSTOP)
        try:
            with pytest.raises(HostUnreachable, match="said nothing"):
                await asking
        finally:
            sshd.signal_sessions(signal.SIGCONT)
