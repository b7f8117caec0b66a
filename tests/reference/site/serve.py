"""A Django site with the admin, served with the static files and the manifest that are given.

Usage: python serve.py FOLDER STORAGE, where FOLDER holds `static` (the build) and gets the
database, and STORAGE is the class that reads the manifest. Prints the port that it listens on.
"""

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

USER, PASSWORD = "ada", "shelves and ladders"


def main():
    folder, storage = Path(sys.argv[1]), sys.argv[2]
    settings.configure(
        DEBUG=False,
        SECRET_KEY="only for this test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="library.urls",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "library",
        ],
        MIDDLEWARE=[
            "whitenoise.middleware.WhiteNoiseMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.sqlite3"}
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        STATIC_URL="/static/",
        STATIC_ROOT=folder / "static",
        STORAGES={"staticfiles": {"BACKEND": storage}},
        USE_TZ=True,
    )
    django.setup()
    fill()
    with make_server(
        "127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet
    ) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


def fill():
    call_command("migrate", run_syncdb=True, verbosity=0)
    apps.get_model("auth.User").objects.create_superuser(USER, password=PASSWORD)
    author = apps.get_model("library.Author").objects.create(name="Ursula")
    apps.get_model("library.Book").objects.create(title="The Dispossessed", author=author)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        """A request is no news."""


if __name__ == "__main__":
    main()
