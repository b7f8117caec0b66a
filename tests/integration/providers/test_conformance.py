"""What holds for every provider, whatever makes its machines."""

import pytest

from app.domain.host_key import check_key
from app.domain.naming import is_address
from worker.providers.provider import Gone, MachineFailed, Unconfirmed, Wish

TAG, OTHER = "liftlock-1", "liftlock-2"


async def tags(subject, told):
    return sorted(item.tag for item in await subject.provider.list(told))


async def test_a_machine_can_be_registered_as_a_host(subject, told):
    made = await subject.provider.create(TAG, Wish(), told)
    assert made.tag == TAG
    assert is_address(made.address)
    assert check_key(made.host_key) == made.host_key


async def test_a_machine_is_listed_as_it_was_made(subject, told):
    made = await subject.provider.create(TAG, Wish(), told)
    (listed,) = await subject.provider.list(told)
    assert (listed.tag, listed.machine_id, listed.made) == (TAG, made.machine_id, made)


async def test_the_same_tag_is_the_same_machine(subject, told):
    made = await subject.provider.create(TAG, Wish(), told)
    assert await subject.provider.create(TAG, Wish(), told) == made
    assert await tags(subject, told) == [TAG]


async def test_two_tags_are_two_machines(subject, told):
    one = await subject.provider.create(TAG, Wish(), told)
    other = await subject.provider.create(OTHER, Wish(), told)
    assert one.machine_id != other.machine_id
    assert await tags(subject, told) == [TAG, OTHER]


async def test_progress_is_told(subject, told):
    await subject.provider.create(TAG, Wish(), told)
    assert f"making {TAG}" in told.lines


async def test_a_machine_that_is_removed_is_listed_no_more(subject, told):
    for tag in (TAG, OTHER):
        await subject.provider.create(tag, Wish(), told)
    assert await subject.provider.destroy(TAG, told) == Gone()
    assert await tags(subject, told) == [OTHER]


async def test_a_machine_that_never_was_is_gone(subject, told):
    """Case 21: the provider says 404."""
    assert await subject.provider.destroy(TAG, told) == Gone()


async def test_a_machine_that_is_removed_twice_is_gone_twice(subject, told):
    await subject.provider.create(TAG, Wish(), told)
    assert await subject.provider.destroy(TAG, told) == Gone()
    assert await subject.provider.destroy(TAG, told) == Gone()


async def test_a_machine_that_cannot_be_removed_is_not_forgotten(subject, told):
    """Case 21: the provider says 500."""
    await subject.provider.create(TAG, Wish(), told)
    subject.break_destroy()
    gone = await subject.provider.destroy(TAG, told)
    assert isinstance(gone, Unconfirmed)
    assert "The API answered 500" in gone.why
    assert await tags(subject, told) == [TAG]


async def test_a_half_made_machine_is_listed_and_can_be_removed(subject, told):
    subject.half_make(TAG)
    (listed,) = await subject.provider.list(told)
    assert (listed.tag, listed.made) == (TAG, None)
    assert await subject.provider.destroy(TAG, told) == Gone()
    assert await tags(subject, told) == []


async def test_a_half_made_machine_is_made_anew_and_not_twice(subject, told):
    subject.half_make(TAG)
    made = await subject.provider.create(TAG, Wish(), told)
    (listed,) = await subject.provider.list(told)
    assert listed.made == made


async def test_a_machine_that_cannot_be_made_leaves_nothing(subject, told):
    """Case 14."""
    subject.make_impossible(TAG)
    with pytest.raises(MachineFailed, match=f"There is no room for {TAG}"):
        await subject.provider.create(TAG, Wish(), told)
    assert await tags(subject, told) == []
