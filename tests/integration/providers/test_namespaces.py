"""The example program: machines that are network namespaces, each with a real sshd."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from worker.providers.executable import ExecProvider
from worker.providers.provider import Gone, MachineFailed, Wish

pytestmark = pytest.mark.root

PROGRAM = Path(__file__).parents[3] / "examples" / "providers" / "namespaces.py"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Namespaces:
    """The program with a folder of its own, and what is left of its machines."""

    def __init__(self, folder):
        self.folder, self.tools = folder / "machines", folder / "tools"
        self.tools.mkdir()
        self.tag = f"liftlock-test-{os.urandom(4).hex()}"
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.wish = Wish(authorized_keys=self.key.export_public_key().decode())

    @property
    def environ(self):
        return {"PATH": f"{self.tools}:{PATH}", "NAMESPACES_FOLDER": str(self.folder)}

    @property
    def provider(self):
        words = (sys.executable, "-P", str(PROGRAM))
        return ExecProvider.of(words, variables=["NAMESPACES_FOLDER"], environ=self.environ)

    def hang(self, tool):
        """From now on it hangs; the pipe tells when it began to."""
        door = self.tools / "door"
        os.mkfifo(door)
        file = self.tools / tool
        file.write_text(f"#!/bin/sh\necho hangs >{door}\nexec sleep 600\n")
        file.chmod(0o755)
        return door

    def release(self, tool):
        (self.tools / tool).unlink()

    @property
    def names(self):
        return [folder.name for folder in self.folder.glob("ll-*")]

    def left(self, names):
        """Namespaces, links and processes of machines."""
        found = [name for name in names if Path("/run/netns", name).exists()]
        found += [name for name in names if Path("/sys/class/net", name).exists()]
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                text = entry.read_bytes()
            except OSError:
                continue
            found += [f"{entry}: {text!r}" for name in names if f"/{name}/".encode() in text]
        return found


@pytest.fixture
async def namespaces(tmp_path, told):
    made = Namespaces(tmp_path)
    yield made
    for listed in await made.provider.list(told):
        assert await made.provider.destroy(listed.tag, told) == Gone()


async def logged_in(made, key):
    """The addresses that are seen there; the host key has to be the one that was told."""
    known = asyncssh.import_known_hosts(f"{made.address} {made.host_key}\n")
    async with asyncssh.connect(
        made.address,
        made.port,
        username=made.user,
        client_keys=[key],
        known_hosts=known,
        config=None,
    ) as connection:
        done = await connection.run("ip -o addr show eth0", check=True)
        return str(done.stdout)


async def test_a_machine_is_reached_with_the_key_it_told_and_leaves_nothing(namespaces, told):
    made = await namespaces.provider.create(namespaces.tag, namespaces.wish, told)
    names = namespaces.names
    assert made.site_address == made.address
    assert made.address in await logged_in(made, namespaces.key)
    assert await namespaces.provider.destroy(namespaces.tag, told) == Gone()
    assert namespaces.left(names) == []
    assert await namespaces.provider.list(told) == ()


async def test_names_are_short_enough_for_a_link_whatever_the_tag(namespaces, told):
    made = await namespaces.provider.create(namespaces.tag.ljust(63, "t"), namespaces.wish, told)
    assert made.machine_id.startswith("ll-")
    assert len(made.machine_id) == 11


async def test_two_machines_have_two_addresses(namespaces, told):
    made = [
        await namespaces.provider.create(f"{namespaces.tag}-{number}", namespaces.wish, told)
        for number in range(2)
    ]
    assert len({item.address for item in made}) == 2
    assert len({item.host_key for item in made}) == 2


async def test_the_same_tag_is_the_same_machine(namespaces, told):
    made = await namespaces.provider.create(namespaces.tag, namespaces.wish, told)
    assert await namespaces.provider.create(namespaces.tag, namespaces.wish, told) == made
    assert namespaces.names == [made.machine_id]


async def test_a_machine_that_runs_something_is_removed_with_it(namespaces, told):
    made = await namespaces.provider.create(namespaces.tag, namespaces.wish, told)
    words = ["ip", "netns", "exec", made.machine_id, "sh", "-c", "echo up; exec sleep 600"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as busy:
        assert busy.stdout.readline() == b"up\n"
        assert await namespaces.provider.destroy(namespaces.tag, told) == Gone()
    assert busy.returncode == -signal.SIGKILL
    assert namespaces.left([made.machine_id]) == []


async def test_a_program_that_is_killed_while_it_makes_a_machine_leaves_its_tag(namespaces, told):
    door = namespaces.hang("ssh-keygen")
    request = {"action": "create", "tag": namespaces.tag, "authorized_keys": ""}
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM)],
        stdin=subprocess.PIPE,
        env=namespaces.environ,
        start_new_session=True,
    )
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    await asyncio.to_thread(door.read_text)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    names = namespaces.names
    assert namespaces.left(names)
    (listed,) = await namespaces.provider.list(told)
    assert (listed.tag, listed.made) == (namespaces.tag, None)
    assert await namespaces.provider.destroy(namespaces.tag, told) == Gone()
    assert namespaces.left(names) == []


async def test_a_create_that_is_cancelled_can_be_done_again(namespaces, told):
    door = namespaces.hang("ssh-keygen")
    creating = asyncio.create_task(
        namespaces.provider.create(namespaces.tag, namespaces.wish, told)
    )
    await asyncio.to_thread(door.read_text)
    creating.cancel()
    await asyncio.wait({creating})
    namespaces.release("ssh-keygen")
    made = await namespaces.provider.create(namespaces.tag, namespaces.wish, told)
    assert made.address in await logged_in(made, namespaces.key)


async def test_what_a_tool_says_against_it_is_told(namespaces, told):
    (namespaces.tools / "ssh-keygen").write_text("#!/bin/sh\necho no entropy >&2\nexit 1\n")
    (namespaces.tools / "ssh-keygen").chmod(0o755)
    with pytest.raises(MachineFailed, match=r"ssh-keygen .*: no entropy"):
        await namespaces.provider.create(namespaces.tag, namespaces.wish, told)
    assert namespaces.names == []
    (namespaces.tools / "ssh-keygen").unlink()


async def test_the_check_passes(namespaces):
    words = ["--program", str(PROGRAM), "--variable", "NAMESPACES_FOLDER"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.providers", "check", *words),
        env={**os.environ, **namespaces.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert out.decode().splitlines()[-1] == "ok  destroy again: there is no such machine"
