"""Two builds of one tree beside each other: where they differ, and by whose doing."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support import reference

DRIVER = Path(__file__).parent / "django_collect.py"
HASH = re.compile(rb"\.([0-9a-f]{12})(?=[.\"'`)?#\s]|$)")


def by_django(tree, *, modules):
    """The folder that Django made of the tree, and what it said; kept from run to run."""
    # Made by these and nothing else, so a change of either asks for another folder.
    made_of = [DRIVER.read_text(), (reference.HERE / "versions.toml").read_text()]
    name = reference.digest(*made_of, tree, str(modules))
    return reference.once(f"collected-{tree}-{name}", lambda new: collect(new, tree, modules))


def collect(folder, tree, modules):
    flags = ["--lenient", "--report", str(folder / "report.json"), *(["--modules"] * modules)]
    sources = map(str, reference.sources(tree))
    folder.mkdir()
    run([str(reference.django()), str(DRIVER), str(folder / "static"), *sources, *flags])
    forget_originals(folder / "static")


def by_liftlock(out, tree, *, modules):
    flags = ["--lenient", "--hashed-only", "--js-modules" if modules else "--no-js-modules"]
    sources = map(str, reference.sources(tree))
    run([sys.executable, "-m", "worker.assets", "build", *sources, str(out), *flags])
    return out


def differences(ours, theirs, undecided):
    """The files with other bytes, less those where only the name of another such file differs.

    Raises AssertionError when the two do not have the same files, or a name differs and the bytes
    do not.
    """
    names, others = manifest(ours), manifest(theirs)
    assert names.keys() == others.keys()
    unlike = {path for path in names if names[path] != others[path]} | undecided
    own = set()
    for path in names.keys() - undecided:
        mine, other = (ours / names[path]).read_bytes(), (theirs / others[path]).read_bytes()
        if mine != other:
            if not is_inherited(mine, other, {names[unlikely] for unlikely in unlike}):
                own.add(path)
        else:
            assert names[path] == others[path], path
    return own


def is_inherited(mine, other, unlike):
    """Whether the texts are the same but for hashes of files that differ themselves."""
    if HASH.sub(b".#", mine) != HASH.sub(b".#", other):
        return False
    hashes = {name.rsplit(".", 2)[-2 if "." in name else -1] for name in unlike}
    hashes |= {name.rsplit(".", 1)[-1] for name in unlike}
    pairs = zip(HASH.findall(mine), HASH.findall(other), strict=True)
    return all(one.decode() in hashes for one, another in pairs if one != another)


def manifest(folder):
    return json.loads((folder / "staticfiles.json").read_text())["paths"]


def forget_originals(folder):
    """Leave the hashed files alone: they are all that is compared, and the folder is kept."""
    kept = set(manifest(folder).values()) | {"staticfiles.json"}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in kept:
            path.unlink()


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
