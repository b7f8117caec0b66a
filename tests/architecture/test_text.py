"""The repository speaks of no machine in particular, and its documents' links lead somewhere."""

import re
from pathlib import PurePosixPath

import pytest

from tests.architecture import source

#: In pieces, so that this file does not contain them.
MACHINE = ("/wo" + "rk/", "/ro" + "ot/", "fa" + "rm-", ".libr" + "ary", "/tmp/te" + "am")
#: Also inside longer words they would be harmless, as in `framework/` or `farm`.
SPOKEN = re.compile(r"(?<![A-Za-z0-9_.-])(?:" + "|".join(map(re.escape, MACHINE)) + ")")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MARKDOWN = [name for name in source.files() if name.endswith(".md")]


def test_no_file_names_a_place_of_the_machine_it_was_written_on():
    found = {
        f"{name}: {hit.group()}"
        for name, text in source.text_files()
        for hit in SPOKEN.finditer(text)
    }
    assert not found


def test_no_file_holds_a_merge_mark_or_a_private_key():
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    key = re.compile("-----BEGIN [A-Z ]*PRIVATE " + r"KEY-----\n[A-Za-z0-9+/=]{60}")
    found = [
        name
        for name, text in source.text_files()
        if any(line.startswith(marks) for line in text.splitlines()) or key.search(text)
    ]
    assert not found


def test_no_file_promises_work_for_later():
    later = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    found = [name for name, text in source.text_files() if later.search(text)]
    assert not [name for name in found if not name.endswith((".lock", ".gz"))]


def anchors(document):
    for heading in re.findall(r"^#+ (.+)$", source.prose(source.read(document)), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        yield kept.replace(" ", "-")


@pytest.mark.parametrize("document", MARKDOWN)
def test_links_lead_somewhere(document):
    targets = LINK.findall(source.prose(source.read(document)))
    own = [target for target in targets if not target.startswith(("http://", "https://"))]
    assert not [target for target in own if not leads_somewhere(document, target)]


def leads_somewhere(document, target):
    path, _, anchor = target.partition("#")
    place = PurePosixPath(document).parent / path if path else PurePosixPath(document)
    if not (source.ROOT / place).exists():
        return False
    return not anchor or anchor in set(anchors(str(place)))
