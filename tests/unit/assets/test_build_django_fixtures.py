"""Files of Django's own tests and the names that they have there (Django 6.1)."""

import pytest

from tests.support.static_trees import build_tree, hashed

FILES = {
    "test/file.txt": "In STATICFILES_DIRS directory.\n\n",
    "cached/other.css": "",
    "cached/styles.css": '@import url("other.css");\n',
    "cached/styles_insensitive.css": '@IMporT uRL("other.css");\n',
    "cached/import.css": "@import 'styles.css';\n",
    "source_map.css": "* {outline: 1px solid red;}\n/*# sourceMappingURL=source_map.css.map*/\n",
    "source_map.css.map": "{}",
    "deep/a.min.js": "",
    "LICENSE": "",
    "a.tar.gz": "",
}
NAMES = {
    "test/file.txt": "test/file.dad0999e4f8f.txt",
    "cached/other.css": "cached/other.d41d8cd98f00.css",
    "cached/styles.css": "cached/styles.5e0040571e1a.css",
    "cached/styles_insensitive.css": "cached/styles_insensitive.3fa427592a53.css",
    "cached/import.css": "cached/import.f53576679e5a.css",
    "source_map.css": "source_map.b2fceaf426aa.css",
    "source_map.css.map": "source_map.css.99914b932bd3.map",
    "deep/a.min.js": "deep/a.min.d41d8cd98f00.js",
    "LICENSE": "LICENSE.d41d8cd98f00",
    "a.tar.gz": "a.tar.d41d8cd98f00.gz",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_tree(tmp_path_factory.mktemp("django"), FILES, js_modules=False)


@pytest.mark.parametrize("path", NAMES)
def test_a_file_has_the_name_that_django_gives_it(built, path):
    assert built.manifest.files[path].name == NAMES[path]


def test_an_import_is_written_as_django_writes_it(built):
    assert b'@import url("styles.5e0040571e1a.css");' in hashed(built, "cached/import.css")
