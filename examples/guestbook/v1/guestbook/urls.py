"""Every address of the site."""

from django.urls import path

from book.health import healthz
from book.views import book

urlpatterns = [
    path("", book, name="book"),
    path("healthz", healthz, name="healthz"),
]
