import os
import stat

import pytest

from worker.providers.executable import ExecProvider, Longest
from worker.providers.provider import Gone, MachineFailed, ProviderFailed, Unconfirmed, Wish

TAG = "liftlock-1"
WISH = Wish(name="shop 7", labels={"pool": "blue"}, authorized_keys="ssh-ed25519 AAAA me\n")
PATH = {"PATH": os.environ["PATH"]}


async def failure(executed, told, error=ProviderFailed):
    with pytest.raises(error) as caught:
        await executed.provider.create(TAG, WISH, told)
    return caught.value


async def test_a_request_to_create_says_everything(executed, told):
    await executed.provider.create(TAG, WISH, told)
    assert executed.requests("create") == [
        {
            "version": 1,
            "action": "create",
            "tag": TAG,
            "name": "shop 7",
            "labels": {"pool": "blue"},
            "authorized_keys": "ssh-ed25519 AAAA me\n",
        }
    ]


async def test_a_request_to_destroy_says_the_tag(executed, told):
    await executed.provider.destroy(TAG, told)
    assert executed.requests("destroy") == [{"version": 1, "action": "destroy", "tag": TAG}]


async def test_it_is_asked_for_its_list_before_it_makes_anything(executed, told):
    await executed.provider.create(TAG, WISH, told)
    first = (executed.folder / "requests").read_text().splitlines()[0]
    assert first == '{"version": 1, "action": "list"}'


async def test_a_machine_that_is_listed_is_not_asked_for_again(executed, told):
    made = await executed.provider.create(TAG, WISH, told)
    assert await executed.provider.create(TAG, WISH, told) == made
    assert len(executed.requests("create")) == 1


async def test_nothing_is_made_while_its_list_fails(executed, told):
    executed.fault("list", "echo no network >&2; exit 1")
    error = await failure(executed, told)
    assert "asked to list machines, ended with exit code 1. Its last words: no network" in str(
        error
    )
    assert executed.requests("create") == []


async def test_nothing_is_made_while_a_half_made_machine_stays(executed, told):
    executed.half_make(TAG)
    executed.break_destroy()
    error = await failure(executed, told)
    assert f"The machine {TAG} is half made, and stays: " in error.detail
    assert executed.requests("create") == []


async def test_two_machines_of_one_tag_are_refused_by_their_ids(executed, told):
    two = '{"machines": [{"tag": "liftlock-1", "id": "a"}, {"tag": "liftlock-1", "id": "b"}]}'
    executed.fault("list", f"echo '{two}'")
    assert "lists 2 machines of the tag liftlock-1: a, b." in (await failure(executed, told)).detail


async def test_a_create_that_fails_and_leaves_nothing_has_made_nothing(executed, told):
    """Case 14."""
    executed.fault("create", "echo quota exceeded >&2; exit 1")
    error = await failure(executed, told, MachineFailed)
    assert "asked to create liftlock-1, ended with exit code 1." in error.detail
    assert "Its last words: quota exceeded" in error.detail


async def test_a_create_that_fails_and_leaves_a_machine_is_unknown(executed, told):
    executed.fault("create", f"touch {TAG}.machine; exit 1")
    assert "It lists a machine of that tag" in (await failure(executed, told)).detail


async def test_a_create_that_was_killed_is_unknown(executed, told):
    executed.fault("create", "kill -KILL $PPID")
    assert "was ended by signal 9" in (await failure(executed, told)).detail


async def test_a_create_whose_list_fails_afterwards_is_unknown(executed, told):
    executed.fault("create", "echo 'exit 1' >fault-list; exit 1")
    error = await failure(executed, told)
    assert "asked to create liftlock-1, ended with exit code 1" in error.detail
    assert "Then: " in error.detail


async def test_an_answer_that_is_wrong_names_program_field_and_value(executed, told):
    executed.fault(
        "create",
        """echo '{"id": "i", "address": "a b", "port": 22, "user": "u",
        "host_key": "x"}'""",
    )
    error = await failure(executed, told)
    assert error.detail.startswith("The program ")
    assert 'asked to create liftlock-1, answered `address`: "a b": give a host name' in error.detail


async def test_an_answer_that_is_no_json_is_shown(executed, told):
    executed.fault("create", "echo made it")
    assert 'answered "made it\\n", which is no JSON' in (await failure(executed, told)).detail


async def test_the_next_command_is_told(executed, told):
    executed.fault("create", "exit 1")
    error = await failure(executed, told, MachineFailed)
    assert error.hint.startswith("Try it: python -m worker.providers check --program /")


async def test_exit_code_3_of_destroy_is_no_such_machine(executed, told):
    """Case 21: 404."""
    executed.fault("destroy", "exit 3")
    assert await executed.provider.destroy(TAG, told) == Gone()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 1", "ended with exit code 1"),
        ("exit 4", "ended with exit code 4"),
        ("kill -TERM $PPID", "was ended by signal 15"),
        ("exit 0", "which is no JSON"),
        ("echo '{}'", "left out the field `gone`"),
        ("""echo '{"gone": false}'""", "answered `gone`: false, wanted `true`"),
    ],
)
async def test_any_other_end_of_destroy_is_no_proof(executed, told, script, why):
    """Case 21: 500."""
    executed.fault("destroy", script)
    gone = await executed.provider.destroy(TAG, told)
    assert isinstance(gone, Unconfirmed)
    assert why in gone.why


@pytest.mark.parametrize("code", [1, 3])
async def test_a_list_that_fails_is_no_empty_list(executed, told, code):
    executed.fault("list", f"exit {code}")
    with pytest.raises(ProviderFailed, match=f"ended with exit code {code}"):
        await executed.provider.list(told)


@pytest.mark.parametrize("action", ["create", "destroy", "list"])
async def test_each_action_has_its_own_bound(executed, told, action):
    executed.fault(action, "exec sleep 600")
    bounds = Longest(**{"create": 30.0, "destroy": 30.0, "list": 30.0, action: 1.0})
    provider = ExecProvider.of(executed.words, environ=PATH, longest=bounds)
    asked = {
        "create": lambda: provider.create(TAG, WISH, told),
        "destroy": lambda: provider.destroy(TAG, told),
        "list": lambda: provider.list(told),
    }
    try:
        said = str(await asked[action]())
    except ProviderFailed as error:
        said = error.detail
    assert "took longer than 1 s and was ended" in said


async def test_a_program_sees_three_variables_and_those_that_are_named(tmp_path, told):
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nenv >"$SEEN"\necho \'{"machines": []}\'\n')
    program.chmod(stat.S_IRWXU)
    environ = {
        **PATH,
        "HOME": "/home/of",
        "LANG": "C.UTF-8",
        "SEEN": str(tmp_path / "seen"),
        "REDIS_URL": "redis://user:password@redis.invalid",
    }
    provider = ExecProvider.of([str(program)], variables=["SEEN"], environ=environ)
    await provider.list(told)
    seen = {line.partition("=")[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert seen - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "HOME", "LANG", "SEEN"}


async def test_the_value_of_a_named_variable_is_never_shown(tmp_path, told):
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "key $KEY" >&2\necho "{\\"machines\\": \\"$KEY\\"}"\n')
    program.chmod(stat.S_IRWXU)
    environ = {**PATH, "KEY": "correct-horse-battery"}
    provider = ExecProvider.of([str(program)], variables=["KEY"], environ=environ)
    with pytest.raises(ProviderFailed) as caught:
        await provider.list(told)
    assert told.lines == ["key [redacted]"]
    assert 'answered `machines`: "[redacted]"' in caught.value.detail


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("LIFTLOCK_MASTER_KEY", "is Liftlock's own"),
        ("NOT_THERE", "which the program is to be given, is not set"),
    ],
)
def test_a_variable_that_is_liftlocks_or_not_set_is_refused(name, sentence):
    with pytest.raises(ProviderFailed, match=sentence):
        ExecProvider.of(["/bin/true"], variables=[name], environ={"LIFTLOCK_MASTER_KEY": "k"})


async def test_a_program_that_does_not_exist_is_told_by_its_path(told):
    provider = ExecProvider.of(["/nowhere/program"], environ=PATH)
    with pytest.raises(
        ProviderFailed, match=r"The program /nowhere/program, .* could not be start"
    ):
        await provider.list(told)
