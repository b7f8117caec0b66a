"""Settings of the site, read from the environment."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
RELEASE_DIR = Path(os.environ.get("RELEASE_DIR", BASE_DIR))
SHARED_DIR = Path(os.environ.get("SHARED_DIR", BASE_DIR))

REVISION = os.environ.get("REVISION", "")
COMMIT = os.environ.get("COMMIT", "")
PORT = os.environ.get("PORT", "")

# May stay empty while static files are collected; wsgi.py insists on it.
SECRET_KEY = os.environ.get("SECRET_KEY", "")
DEBUG = os.environ.get("DEBUG", "0") == "1"

DOMAIN = os.environ.get("DOMAIN", "").strip()
MORE_HOSTS = [host.strip() for host in os.environ.get("ALLOWED_HOSTS", "").split(",")]
ALLOWED_HOSTS = [host for host in ("127.0.0.1", "localhost", "[::1]", DOMAIN, *MORE_HOSTS) if host]
# A proxy that ends TLS passes plain HTTP on, so the browser's https origin must be named.
CSRF_TRUSTED_ORIGINS = [f"https://{DOMAIN}"] if DOMAIN else []

INSTALLED_APPS = [
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "book",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "book.statics.StaticFiles",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

ROOT_URLCONF = "guestbook.urls"
WSGI_APPLICATION = "guestbook.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "book.context.release",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": SHARED_DIR / "db.sqlite3",
        "OPTIONS": {
            # Readers go on while one process writes; writers queue instead of failing.
            "init_command": "PRAGMA journal_mode=WAL",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = os.environ.get("STATIC_URL", "/static/")
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", RELEASE_DIR / "static"))
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Django's default mails errors to nobody when DEBUG is off; the supervisor keeps this output.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
