"""The program that builds static files: what it may see, and how it ends."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.recipe_static import Static
from worker.engine.assets.build import Build, Crashed, Refused

BASE_URL = "https://static.example/shop/"


def _build(tmp_path, program, **more):
    (tmp_path / "tree").mkdir()
    return Build(
        Static(path="public", **more),
        BASE_URL,
        tmp_path / "tree",
        tmp_path / "out",
        program=(sys.executable, "-c", program),
    )


async def _said(build):
    heard = []

    async def show(text):
        heard.append(text)

    return await build.run(show), "".join(heard)


async def test_a_build_shows_what_is_said_beside_its_answer(tmp_path):
    program = 'import sys; print("12 of 40", file=sys.stderr); print(\'{"ok": true, "files": 1}\')'
    assert await _said(_build(tmp_path, program)) == ({"ok": True, "files": 1}, "12 of 40\n")


async def test_a_build_sees_no_secret_of_the_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("LIFTLOCK_MASTER_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    program = 'import json, os; print(json.dumps({"ok": True, "env": dict(os.environ)}))'
    answer, _ = await _said(_build(tmp_path, program))
    assert "secret" not in answer["env"].values()
    assert answer["env"]["PATH"] == os.environ["PATH"]


async def test_a_build_gives_way_to_the_worker_and_is_told_what_the_recipe_says(tmp_path):
    program = (
        "import json, os, sys, time\n"
        "while os.nice(0) == 0: time.sleep(0.01)\n"
        "leads = os.getsid(0) == os.getpid()\n"
        'print(json.dumps({"ok": True, "words": sys.argv[1:], "leads": leads}))'
    )
    more = {"lenient": True, "js_modules": False, "ignore": ("*.map", "-x"), "compress": ("zstd",)}
    build = _build(
        tmp_path, program, bundles={"all": {"output": "a.css", "sources": ("*.css",)}}, **more
    )
    answer, _ = await _said(build)
    words = " ".join(answer["words"])
    assert answer["leads"]
    assert f"build {build.tree} {build.out} --json --hashed-only" in words
    assert f"--base-url {BASE_URL} --compress zstd --no-js-modules" in words
    assert f"--no-default-ignore --ignore=*.map --ignore=-x --lenient --bundles {tmp_path}" in words
    bundles = json.loads((tmp_path / "bundles.json").read_text())
    assert bundles["bundles"]["all"]["output"] == "a.css"


def _refuses(*codes):
    problems = [{"code": code, "message": f"because of {code}"} for code in codes]
    told = json.dumps({"ok": False, "problems": problems, "hint": "build with --lenient"})
    return f"print({told!r}); raise SystemExit(1)", tuple(problems)


async def test_a_refusal_of_the_build_has_its_problems(tmp_path):
    program, problems = _refuses("missing-reference", "bad-name")
    with pytest.raises(Refused) as caught:
        await _said(_build(tmp_path, program))
    assert caught.value.problems == problems


@pytest.mark.parametrize(
    "code", ["process-killed", "input-output", "output-refused", "changed-meanwhile"]
)
async def test_a_build_that_the_machine_stopped_blames_no_file(tmp_path, code):
    program, problems = _refuses(code)
    with pytest.raises(Crashed, match=f"because of {code}") as caught:
        await _said(_build(tmp_path, program))
    assert caught.value.problems == problems


async def test_what_a_recipe_requires_comes_in_a_file_however_much_it_is(tmp_path):
    program = (
        "import json, sys\n"
        "[file] = [w for w in sys.argv if w.startswith('--require-from=')]\n"
        "lines = open(file.partition('=')[2], encoding='utf-8').read().splitlines()\n"
        'print(json.dumps({"ok": True, "lines": lines}))'
    )
    require = ("-a.css", *(f"\u00fc/{n:0480}.png" for n in range(9_000)))
    answer, _ = await _said(_build(tmp_path, program, require=require))
    assert tuple(answer["lines"]) == require


async def test_a_refusal_says_how_many_problems_there_are(tmp_path):
    told = json.dumps(
        {"ok": False, "problems": [{"code": "x", "message": "y"}], "problems_total": 9}
    )
    with pytest.raises(Refused) as caught:
        await _said(_build(tmp_path, f"print({told!r}); raise SystemExit(1)"))
    assert (len(caught.value.problems), caught.value.total) == (1, 9)


async def test_a_build_ends_with_its_worker_however_that_ends(tmp_path):
    program = (
        "import os, sys, time\n"
        "from worker.assets.building.parent import end_with\n"
        "end_with(os.getppid())\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    worker = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", worker, program, stdout=asyncio.subprocess.PIPE
    )
    child = int(await asyncio.wait_for(started.stdout.readline(), 30))
    started.kill()
    await started.wait()
    async with asyncio.timeout(10):
        while _is_alive(child):
            await asyncio.sleep(0.001)


async def test_a_build_whose_worker_is_gone_already_does_not_begin(tmp_path):
    (tmp_path / "a.css").write_text("a{}")
    words = ["build", str(tmp_path), str(tmp_path / "out"), "--parent=1"]
    build = await asyncio.create_subprocess_exec(sys.executable, "-m", "worker.assets", *words)
    assert await asyncio.wait_for(build.wait(), 30) == -signal.SIGKILL
    assert not (tmp_path / "out").exists()


async def test_a_build_is_told_whom_to_end_with(tmp_path):
    program = 'import json, sys; print(json.dumps({"ok": True, "words": sys.argv}))'
    answer, _ = await _said(_build(tmp_path, program))
    assert f"--parent={os.getpid()}" in answer["words"]


async def test_a_program_that_cannot_be_started_is_told(tmp_path):
    build = replace(_build(tmp_path, ""), program=("/nowhere/python",))
    with pytest.raises(Crashed, match="could not be started"):
        await _said(build)


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed .signal 9., as .* memory runs out"),
        ("import os; os.abort()", "ended by signal 6"),
        ("raise SystemExit('no such option')", "exit code 1. The last it said: no such option"),
        ("print('no JSON')", "exit code 0. The last it said: nothing"),
    ],
)
async def test_a_crash_of_the_build_says_how_it_ended(tmp_path, program, how):
    with pytest.raises(Crashed, match=how):
        await _said(_build(tmp_path, program))


def _is_alive(pid):
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_canceled_build_ends_with_everything_it_started(tmp_path):
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )
    begun = asyncio.get_running_loop().create_future()

    async def show(text):
        begun.set_result(int(text))

    running = asyncio.create_task(_build(tmp_path, program).run(show))
    child = await asyncio.wait_for(begun, 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(10):  # killed is not yet gone
        while _is_alive(child):
            await asyncio.sleep(0.001)
