"""What WhiteNoise's middleware answers for paths, in a site whose files are published elsewhere.

Usage: python whitenoise_answers.py FOLDER SETTINGS PATH..., where FOLDER holds the static files and
the manifest, and SETTINGS is a JSON object. Prints the status for each path, and the URL of a.css.
"""

import json
import sys

import django
from django.conf import settings
from django.http import HttpResponseNotFound
from django.templatetags.static import static
from django.test import RequestFactory
from whitenoise.middleware import WhiteNoiseMiddleware

STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"


def main():
    folder, given, *paths = sys.argv[1:]
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=["django.contrib.staticfiles"],
        STATIC_ROOT=folder,
        STATIC_URL="https://static.example.org/shop/",
        STORAGES={"staticfiles": {"BACKEND": STORAGE}},
        **json.loads(given),
    )
    django.setup()
    ask = WhiteNoiseMiddleware(lambda _: HttpResponseNotFound())
    answers = {path: ask(RequestFactory().get(path)).status_code for path in paths}
    sys.stdout.write(json.dumps({"url": static("a.css"), **answers}))


if __name__ == "__main__":
    main()
