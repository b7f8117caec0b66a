"""Every router: certificates in files, shown, renewed and taken away; Caddy: its own ones."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from app.domain.router import RouterKind, Tls, TlsMode
from tests.support.router_load import OPENED, KeepAlive
from tests.support.stack import free_port


@pytest.fixture
def certificate(router):
    return make_certificate(router.folder, "one")


def make_certificate(folder, name, domain="site.example"):
    """In two files; a folder with a space."""
    place = folder / "own certs"
    place.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = [place / f"{name}.crt", place / f"{name}.key"]
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Tls(TlsMode.FILES, str(files[0]), str(files[1]))


async def https(port, domain="site.example", *, host="", trusted=None):
    """The certificate that is shown, and the answer; `trusted` is who must have signed it."""
    trusting = ssl.create_default_context(cafile=trusted)
    if trusted is None:
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    link = KeepAlive(port, host or domain)
    link.reader, link.writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trusting, server_hostname=domain
    )
    OPENED.append(link.writer)
    shown = link.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    try:
        return shown, await link.get("/head")
    finally:
        link.close()


async def test_with_tls_it_shows_the_certificate_and_tells_the_site(
    router, route, site, certificate
):
    await asyncio.to_thread(router.bring, route(site, tls=certificate))
    _, answer = await https(router.https)
    assert "x-forwarded-proto: https" in answer.body.lower()


async def test_with_tls_plain_http_is_sent_there(router, route, site, certificate):
    await asyncio.to_thread(router.bring, route(site, tls=certificate))
    got = await KeepAlive(router.http).get("/a?b=c")
    assert (got.status, got.headers["location"]) == (
        308,
        f"https://site.example:{router.https}/a?b=c",
    )


async def test_a_renewed_certificate_is_loaded(router, route, site, certificate):
    await asyncio.to_thread(router.bring, route(site, tls=certificate))
    before, _ = await https(router.https)
    renewed = make_certificate(router.folder, "two")
    for old, new in (
        (certificate.certificate, renewed.certificate),
        (certificate.key, renewed.key),
    ):
        Path(new).replace(old)
    ran = router.done(router.router.configure(route(site, tls=certificate)))
    assert ran.facts["reloaded"] == "yes"
    # nginx: a worker of before may take one more connection, until it has heard of its end.
    async with asyncio.timeout(10):
        while (await https(router.https))[0] == before:
            pass


async def test_a_renewed_certificate_is_told_from_tampering(router, route, site, certificate):
    await asyncio.to_thread(router.bring, route(site, tls=certificate))
    renewed = make_certificate(router.folder, "two")
    Path(renewed.certificate).replace(certificate.certificate)
    Path(renewed.key).replace(certificate.key)
    ran = router.run(router.router.read_back(route(site, tls=certificate)))
    assert ran.exit_code == 64
    assert "the certificate or key is another than it was told" in ran.output
    assert certificate.certificate in ran.output
    await asyncio.to_thread(router.bring, route(site, version=2, tls=certificate))
    router.site("guest").write_text("# by hand\n")
    ran = router.run(router.router.read_back(route(site, version=2, tls=certificate)))
    assert "is not as it was written" in ran.output


async def test_tls_can_be_taken_away_again(router, route, site, certificate):
    await asyncio.to_thread(router.bring, route(site, tls=certificate))
    await asyncio.to_thread(router.bring, route(site, version=2))
    assert (await KeepAlive(router.http).get()).body == "a"


async def test_each_name_has_its_own_certificate_and_its_own_site(router, route, site, other):
    names = {"site.example": site, "other.example": other}
    for name, behind in names.items():
        tls = make_certificate(router.folder, name, name)
        instance = name.partition(".")[0]
        await asyncio.to_thread(
            router.bring, route(behind, tls=tls, domain=name, instance=instance)
        )
    for name, behind in names.items():
        shown, answer = await https(router.https, name)
        assert names_of(shown) == [name]
        assert f"\r\nhost: {name}\r\n" in answer.body.lower()
        assert behind.served == {"/head": 1}


async def test_with_tls_a_last_dot_and_capitals_are_the_same_site(router, route, site, certificate):
    await asyncio.to_thread(router.bring, route(site, tls=certificate))
    _, answer = await https(router.https, host="SITE.Example.")
    assert "x-forwarded-proto: https" in answer.body.lower()


@pytest.mark.parametrize("missing", ["certificate", "key"])
async def test_a_file_that_is_not_there_is_named_and_nothing_is_changed(
    router, route, site, certificate, missing
):
    await asyncio.to_thread(router.bring, route(site))
    before, kept = router.loads(), router.site("guest").read_text()
    Path(getattr(certificate, missing)).unlink()
    ran = router.run(router.router.configure(route(site, version=2, tls=certificate)))
    assert ran.exit_code == 62
    assert getattr(certificate, missing) in ran.output
    assert (router.loads(), router.site("guest").read_text()) == (before, kept)
    assert (await KeepAlive(router.http).get()).body == "a"


async def test_the_key_of_another_certificate_is_refused(router, route, site, certificate):
    await asyncio.to_thread(router.bring, route(site))
    kept = router.site("guest").read_text()
    another = make_certificate(router.folder, "another")
    tls = Tls(TlsMode.FILES, certificate.certificate, another.key)
    ran = router.run(router.router.configure(route(site, version=2, tls=tls)))
    assert ran.exit_code == 62
    assert router.site("guest").read_text() == kept
    assert (await KeepAlive(router.http).get()).body == "a"


@pytest.mark.parametrize("kind", [RouterKind.CADDY], indirect=True)
async def test_caddy_signs_a_certificate_for_the_name_by_itself(router, route, site):
    await asyncio.to_thread(router.bring, route(site, tls=Tls(TlsMode.INTERNAL)))
    authority = router.folder / "storage/pki/authorities/local/root.crt"
    _, answer = await https(router.https, trusted=authority)
    assert "x-forwarded-proto: https" in answer.body.lower()


@pytest.mark.parametrize("kind", [RouterKind.CADDY], indirect=True)
async def test_caddy_asks_an_authority_for_the_certificate_and_has_none_until_then(
    router, route, site
):
    # Nobody is there: a test must not ask the one that Caddy would.
    nobody = f"acme_ca https://127.0.0.1:{free_port()}/directory"
    router.config.write_text(router.config.read_text().replace("{\n", f"{{\n\t{nobody}\n", 1))
    await asyncio.to_thread(router.bring, route(site, tls=Tls(TlsMode.AUTO)))
    with pytest.raises(ssl.SSLError):
        await https(router.https)
    assert (await KeepAlive(router.http).get()).status == 308
    log = router.log.read_text()
    assert '"msg":"obtaining certificate","identifier":"site.example"}' in log
    assert '"identifier":"site.example."' not in log


def names_of(shown):
    certificate = x509.load_der_x509_certificate(shown)
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)
