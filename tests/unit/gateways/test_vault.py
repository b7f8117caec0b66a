import pytest

from app.gateways.vault import CannotDecrypt, Vault

KEY = bytes(32)


def test_what_was_sealed_for_a_place_opens_there():
    vault = Vault(KEY)
    assert vault.open(vault.seal("s3cret\n", context="a"), context="a") == "s3cret\n"


def test_a_ciphertext_moved_to_another_place_does_not_open():
    vault = Vault(KEY)
    with pytest.raises(CannotDecrypt, match="secret:b"):
        vault.open(vault.seal("s3cret", context="secret:a"), context="secret:b")


def test_another_master_key_does_not_open_it():
    sealed = Vault(KEY).seal("s3cret", context="a")
    with pytest.raises(CannotDecrypt, match="LIFTLOCK_MASTER_KEY"):
        Vault(bytes([1]) * 32).open(sealed, context="a")


def test_the_same_text_is_never_sealed_to_the_same_bytes():
    vault = Vault(KEY)
    assert vault.seal("s3cret", context="a") != vault.seal("s3cret", context="a")
