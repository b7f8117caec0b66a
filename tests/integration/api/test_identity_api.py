import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from sqlmodel import select

from app import services
from app.gateways.vault import CannotDecrypt, Vault
from app.models import Identity
from tests.support.problems import check_problem, pointers

PEM = serialization.Encoding.PEM
OPENSSH = serialization.PrivateFormat.OpenSSH

NOUN = "OPENSSH PRIVATE KEY"
#: Made for this test, with a passphrase that nobody needs to know.
LOCKED = f"""\
-----BEGIN {NOUN}-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBm9vdNoS
j4zLNQ/2hDTvRqAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIINC/Lgtsd+ge4d2
dwuoAXWP4TWkSDrrEbomGTHuYESHAAAAkD+4jK7bYIrJvhh3C0nTadmHY6lzQLQ7dN3Mbx
ByurqmoKkpMmKIJfwZWaQekrg1QKeJ8UQzMhsjlgUnLePHmudLW2RtwjGSSeSsK5fD8lu4
cler/fHjb4FwdoDXlG1kA12BvSlvkw3SXd7fKfRLlpKhyYfzrw8RxixCx8cGx8ZJ3RBJdv
KgQ5CV4PfD/H6tUA==
-----END {NOUN}-----
"""


def text_of(key, *, form=OPENSSH):
    return key.private_bytes(PEM, form, serialization.NoEncryption()).decode()


def usable():
    return [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    ]


async def import_key(client, text):
    return await client.put("/v1/identity", json={"private_key": text})


async def test_the_first_start_makes_a_key_and_the_next_one_keeps_it(client, db, vault):
    check_problem(await client.get("/v1/identity"), 404)
    assert await services.identities.ensure(db, vault) is True
    shown = (await client.get("/v1/identity")).json()
    assert await services.identities.ensure(db, vault) is False
    assert (await client.get("/v1/identity")).json() == shown
    assert shown["authorized_keys"].startswith("ssh-ed25519 AAAA")
    assert shown["authorized_keys"].endswith(" liftlock")
    assert shown["fingerprint"].startswith("SHA256:")


async def test_another_master_key_is_noticed_at_the_start(db, vault):
    await services.identities.ensure(db, vault)
    with pytest.raises(CannotDecrypt, match="LIFTLOCK_MASTER_KEY"):
        await services.identities.ensure(db, Vault(bytes(32)))


async def test_rotating_keeps_the_key_before_as_a_second_try(client, db, vault):
    await services.identities.ensure(db, vault)
    first = (await client.get("/v1/identity")).json()
    second = (await client.post("/v1/identity/rotate")).json()
    third = (await client.post("/v1/identity/rotate")).json()
    assert [key["id"] for key in second["previous"]] == [first["id"]]
    assert [key["id"] for key in third["previous"]] == [second["id"]]
    assert len(await services.identities.private_keys(db, vault)) == 2


async def test_the_newest_key_is_tried_first(client, db, vault):
    await services.identities.ensure(db, vault)
    key = ed25519.Ed25519PrivateKey.generate()
    await import_key(client, text_of(key))
    newest, _ = await services.identities.private_keys(db, vault)
    loaded = serialization.load_ssh_private_key(newest.encode(), password=None)
    assert loaded.public_key() == key.public_key()


async def test_keys_of_every_usable_type_can_be_imported(client):
    for key in usable():
        response = await import_key(client, text_of(key))
        assert response.status_code == 200
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        assert response.json()["authorized_keys"] == f"{public.decode()} liftlock"


async def test_importing_the_current_key_again_changes_nothing(client):
    text = text_of(ed25519.Ed25519PrivateKey.generate())
    first = (await import_key(client, text)).json()
    assert (await import_key(client, text.replace("\n", "\r\n"))).json() == first


def unusable():
    key = ed25519.Ed25519PrivateKey.generate()
    whole = text_of(key)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return {
        "this is no key": "hello",
        "this is a public key": public.decode(),
        "not in OpenSSH's format": text_of(key, form=serialization.PrivateFormat.PKCS8),
        "locked with a passphrase": LOCKED,
        "damaged": whole[:60] + whole[80:],
        "this RSA key has 1024 bits": text_of(rsa.generate_private_key(65537, 1024)),
        "use an ed25519, ECDSA or RSA key": text_of(dsa.generate_private_key(1024)),
    }


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
async def test_what_cannot_be_used_is_refused_with_the_reason_and_not_repeated(client, db):
    for reason, text in unusable().items():
        response = await import_key(client, text)
        assert pointers(response) == ["/private_key"]
        assert reason in response.json()["errors"][0]["detail"]
        assert text[40:100] not in response.text or len(text) < 40
    async with db.transaction() as session:
        assert (await session.exec(select(Identity))).all() == []


async def test_a_private_key_is_nowhere_in_an_answer(client):
    text = text_of(ed25519.Ed25519PrivateKey.generate())
    body = text.splitlines()[2]
    assert body not in (await import_key(client, text)).text
    assert body not in (await client.get("/v1/identity")).text
