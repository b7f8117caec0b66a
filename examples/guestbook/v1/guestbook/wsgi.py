"""The WSGI application that a server such as gunicorn runs."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guestbook.settings")

# Without this the missing key would surface with the first visitor who signs the book.
if not os.environ.get("SECRET_KEY"):
    message = "SECRET_KEY is not set: put a long random text into the environment"
    raise ImproperlyConfigured(message)

application = get_wsgi_application()
