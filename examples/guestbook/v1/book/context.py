"""What every template may show about the running release."""

from django.conf import settings
from django.http import HttpRequest


def release(_request: HttpRequest) -> dict[str, dict[str, str]]:
    shown = {
        "revision": settings.REVISION or "working copy",
        "commit": settings.COMMIT,
        "port": settings.PORT,
    }
    return {"release": shown}
