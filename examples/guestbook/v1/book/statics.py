"""Static files, of which a missing one costs its own address alone."""

import logging
from functools import cache

from django.http import Http404, HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

log = logging.getLogger(__name__)


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise takes what it found at the start for what there is, and fails where that has gone."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        try:
            return WhiteNoiseMiddleware.serve(static_file, request)
        except FileNotFoundError as error:
            _tell(request.path_info)
            raise Http404(f"{request.path_info} is missing from the release.") from error


@cache
def _tell(path: str) -> None:
    """Once in the life of a process, however many visitors ask."""
    log.error("%s is missing from the release; everything else is served.", path)
