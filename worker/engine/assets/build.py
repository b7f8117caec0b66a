"""The build of static files, as a process of its own: it takes what it needs, and may crash."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.domain.recipe_static import Static
from worker.assets import __file__ as _HERE  # noqa: N812 - where its packages are
from worker.assets.problem import Problem
from worker.remote.host import Output as Hear
from worker.remote.runner import Decoder

#: All that it sees of this process's environment, which has keys and passwords in it.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "VIRTUAL_ENV")
#: How much it gives way to the worker itself, which has leases to renew.
_NICE = 10
#: Seconds for its processes to be gone after KILL.
_END = 10.0
_CHUNK = 65536
_REFUSED = 1
_SHOWN = 2000


#: Problems of the machine: other files, or other words in the recipe, would change nothing.
_OF_MACHINE = {"process-killed", "input-output", "output-refused", "changed-meanwhile"}


class Refused(Exception):
    """The files cannot be built; `problems` are the first of `total`, as JSON."""

    def __init__(self, problems: Sequence[Mapping[str, Any]], total: int | None = None) -> None:
        self.problems = tuple(problems)
        self.total = len(problems) if total is None else total
        super().__init__(f"{self.total} problems")


class Crashed(Exception):
    """The machine did not let the build end: `problems`, the first of `total`, say how."""

    def __init__(
        self, why: str, problems: Sequence[Mapping[str, Any]] = (), total: int = 1
    ) -> None:
        super().__init__(why)
        self.problems = tuple(problems) or (Problem("build-crashed", why).as_json(),)
        self.total = max(total, len(self.problems))


@dataclass(frozen=True)
class Build:
    """One run of `python -m worker.assets build`."""

    static: Static
    base_url: str
    #: The files, and the folder that is made of them.
    tree: Path
    out: Path
    #: The program, and what it sees besides.
    program: Sequence[str] = (sys.executable, "-P", "-m", "worker.assets")
    env: Mapping[str, str] = field(default_factory=dict)

    async def run(self, show: Hear) -> dict[str, Any]:
        """What it answers. Raises Refused and Crashed; its processes end with this call."""
        process = await self._started()
        try:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PGRP, process.pid, _NICE)
            assert process.stdout is not None  # noqa: S101 - piped
            assert process.stderr is not None  # noqa: S101 - piped
            answer, said = await asyncio.gather(
                process.stdout.read(), _passed_on(process.stderr, show)
            )
            # Off the loop: it may be large.
            return await asyncio.to_thread(_read, await process.wait(), answer, said)
        finally:
            await _end(process)

    async def _started(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self.program,
                *await asyncio.to_thread(self._words),
                cwd=self.tree.parent,
                env={**_environment(), **self.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Crashed(f"the build could not be started: {error}") from error

    def _words(self) -> list[str]:
        static = self.static
        words = ["build", str(self.tree), str(self.out), "--json", "--hashed-only"]
        words.append(f"--parent={os.getpid()}")
        words += ["--base-url", self.base_url, "--compress", ",".join(static.compress)]
        words.append("--js-modules" if static.js_modules else "--no-js-modules")
        words.append("--no-default-ignore")
        words += [f"--ignore={glob}" for glob in static.ignore]
        if static.lenient:
            words.append("--lenient")
        if static.require:
            required = self.tree.parent / "required.txt"
            required.write_text("".join(f"{path}\n" for path in static.require), "utf-8")
            words.append(f"--require-from={required}")
        if static.bundles:
            # Compilers ran on the host already, where the site's tools are.
            bundles = self.tree.parent / "bundles.json"
            bundles.write_text(static.model_dump_json(include={"bundles"}))
            words += ["--bundles", str(bundles)]
        return words


def _environment() -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**passed, "PYTHONPATH": str(Path(_HERE).parents[2])}


async def _passed_on(stream: asyncio.StreamReader, show: Hear) -> str:
    """Shows what comes; the end of it."""
    decoder, last = Decoder(), ""
    while data := await stream.read(_CHUNK):
        text = decoder.feed(data)
        last = (last + text)[-_SHOWN:]
        await show(text)
    return last


def _read(code: int, answer: bytes, said: str) -> dict[str, Any]:
    try:
        found = json.loads(answer)
        if code == 0 and found["ok"]:
            return dict(found)
        if code == _REFUSED:
            problems = found["problems"]
            raise _refusal(problems, int(found.get("problems_total", len(problems))))
    except (ValueError, KeyError, TypeError):
        pass
    raise Crashed(f"{_how(code)}. The last it said: {said.strip() or 'nothing'}")


def _refusal(problems: Sequence[Mapping[str, Any]], total: int) -> Refused | Crashed:
    """Its hint is left: it has words of a command line that nobody typed."""
    if _OF_MACHINE.isdisjoint(problem["code"] for problem in problems):
        return Refused(problems, total)
    return Crashed(str(problems[0]["message"]), problems, total)


def _how(code: int) -> str:
    if code == -signal.SIGKILL:
        return "it was killed (signal 9), as the kernel does when memory runs out"
    if code < 0:
        return f"it was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"it ended with exit code {code}"


async def _end(process: asyncio.subprocess.Process) -> None:
    """The whole session: it has workers of its own, which a crash of their parent leaves."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END):
            await process.communicate()
