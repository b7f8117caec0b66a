"""Providers of each kind, with the same handles to break them."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import machine_maker
from tests.support.fake_provider import FakeProvider, impossible
from worker.providers.executable import ExecProvider
from worker.providers.provider import Provider

PROGRAM = str(Path(machine_maker.__file__))


class Told:
    """What a program said on its way."""

    def __init__(self):
        self.lines, self.first = [], asyncio.Event()

    async def __call__(self, line):
        self.lines.append(line)
        self.first.set()


@pytest.fixture
def told():
    return Told()


class Fake:
    def __init__(self):
        self.provider = FakeProvider()

    def half_make(self, tag):
        self.provider.machines[tag] = None

    def make_impossible(self, tag):
        self.provider.create_fails = impossible(tag)

    def break_destroy(self):
        self.provider.destroy_fails = "The API answered 500."


@dataclass
class Executed:
    """An operator's program, its machines and its faults in one folder."""

    folder: Path

    @property
    def words(self):
        return (sys.executable, "-P", PROGRAM, str(self.folder))

    @property
    def provider(self) -> Provider:
        return ExecProvider.of(self.words, environ={"PATH": os.environ["PATH"]})

    def requests(self, action):
        lines = (self.folder / "requests").read_text().splitlines()
        return [request for request in map(json.loads, lines) if request["action"] == action]

    def fault(self, action, script):
        (self.folder / f"fault-{action}").write_text(script)

    def half_make(self, tag):
        (self.folder / f"{tag}.machine").touch()

    def make_impossible(self, tag):
        self.fault("create", f"echo There is no room for {tag} >&2; exit 1")

    def break_destroy(self):
        self.fault("destroy", "echo The API answered 500 >&2; exit 1")


@pytest.fixture
def executed(tmp_path):
    return Executed(tmp_path)


@pytest.fixture(params=["fake", "exec"])
def subject(request, tmp_path):
    return Fake() if request.param == "fake" else Executed(tmp_path)
