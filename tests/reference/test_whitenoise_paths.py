"""Where WhiteNoise serves the files of the host when the pages link to an asset release."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import reference

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).with_name("whitenoise_answers.py")
HASHED = "a.0123456789ab.css"


@pytest.fixture
def answers(tmp_path):
    """As on a host: the plain files, and the manifest of the release."""
    (tmp_path / "a.css").write_text("a{}")
    manifest = {"paths": {"a.css": HASHED}, "version": "1.1", "hash": "0123456789ab"}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest))

    def ask(settings):
        paths = ["/static/a.css", "/shop/a.css"]
        command = [reference.django(), SCRIPT, tmp_path, json.dumps(settings), *paths]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    return ask


def test_the_prefix_is_the_path_of_the_address_of_the_release(answers):
    url = f"https://static.example.org/shop/{HASHED}"
    assert answers({}) == {"url": url, "/static/a.css": 404, "/shop/a.css": 200}


def test_a_setting_keeps_the_old_prefix(answers):
    told = answers({"WHITENOISE_STATIC_PREFIX": "/static/"})
    assert (told["/static/a.css"], told["/shop/a.css"]) == (200, 404)
    assert told["url"].endswith(HASHED)
