"""Django's `collectstatic` on folders, set up as usual; run by the Python that has Django.

Usage: python django_collect.py OUT SOURCE... [--modules] [--lenient] [--report FILE]

Strict is Django as it is. Lenient goes past what makes Django give up on a whole tree: a reference
to a file that is not there stays as it is and is reported, CSS and JavaScript that are no UTF-8 are
copied, and there is no limit of five passes.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.exceptions import SuspiciousFileOperation
from django.core.management import call_command

#: A chain of references that is longer makes Django give up, as a cycle does.
PASSES = 12


class Modules(ManifestStaticFilesStorage):
    support_js_module_import_aggregation = True


class Lenient(ManifestStaticFilesStorage):
    max_post_process_passes = PASSES

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.missing, self.unresolved, self.binary = set(), [], []

    def url_converter(self, name, *args, **kwargs):
        converter = super().url_converter(name, *args, **kwargs)

        def convert(match):
            try:
                return converter(match)
            except (ValueError, SuspiciousFileOperation):
                self.missing.add((name, match["url"]))
                return match["matched"]

        return convert

    def post_process(self, paths, **options):
        texts = {path: place for path, place in paths.items() if not self._is_binary(path, place)}
        for name, hashed_name, processed in super().post_process(texts, **options):
            if isinstance(processed, RuntimeError):
                self.unresolved = name.split(", ")
            else:
                yield name, hashed_name, processed
        for path in paths.keys() - texts.keys():
            yield self._copied(path, *paths[path])

    def _is_binary(self, path, place):
        if not path.endswith((".css", ".js")):
            return False
        storage, name = place
        try:
            Path(storage.path(name)).read_bytes().decode()
        except UnicodeDecodeError:
            self.binary.append(path)
            return True
        return False

    def _copied(self, path, storage, name):
        with storage.open(name) as file:
            hashed_name = self.hashed_name(path, file)
            file.seek(0)
            self._save(hashed_name, file)
        self.hashed_files[path] = hashed_name
        return path, hashed_name, True


class LenientModules(Lenient):
    support_js_module_import_aggregation = True


STORAGES = {
    (False, False): ManifestStaticFilesStorage,
    (False, True): Modules,
    (True, False): Lenient,
    (True, True): LenientModules,
}


def main():
    options = _options()
    storage = STORAGES[options.lenient, options.modules]
    settings.configure(
        INSTALLED_APPS=["django.contrib.staticfiles"],
        STATIC_URL="/static/",
        STATIC_ROOT=options.out,
        STATICFILES_DIRS=options.sources,
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STORAGES={"staticfiles": {"BACKEND": f"{__name__}.{storage.__name__}"}},
        USE_I18N=False,
    )
    sys.modules.setdefault(__name__, sys.modules["__main__"])
    django.setup()
    logging.disable(logging.CRITICAL)
    call_command("collectstatic", interactive=False, verbosity=0)
    if options.report:
        report = {
            "missing": sorted(getattr(staticfiles_storage, "missing", ())),
            "unresolved": sorted(getattr(staticfiles_storage, "unresolved", ())),
            "binary": sorted(getattr(staticfiles_storage, "binary", ())),
        }
        options.report.write_text(json.dumps(report, indent=1))


def _options():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--modules", action="store_true")
    parser.add_argument("--lenient", action="store_true")
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
