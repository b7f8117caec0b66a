"""What differs from router to router: the text of a site, and a few shell functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.router import Route, RouterKind

#: A set of app servers is spread over so many slots, so that its size is no configuration: any
#: number up to this one is switched without a reload, and small ones are spread evenly.
SLOTS = 60
#: Seconds after which people come again while no app server is in service.
COME_AGAIN = 10
#: Nobody but Liftlock asks for it: the router answers which configuration it runs.
PATH = "/.well-known/liftlock"
#: In the text of a site: the folder of the route, and the digest of the text and its certificate.
ROUTE, DIGEST = "@ROUTE@", "@DIGEST@"
#: What a client could say about itself and no router tells: app servers never see it.
UNTOLD = ("Forwarded", "X-Forwarded-Port", "Proxy")


@dataclass(frozen=True)
class Dialect:
    """One kind of router.

    `functions` are POSIX sh: `test_config` asks the program itself, `reload_now` loads the new
    configuration, `is_up` asks whether the program runs, `shared` prints the file that all sites
    have in common, `fill` puts into a site's text (stdin) what only the host knows, `apply` brings
    the running program to the route's folder, `found` prints the addresses of its slots.
    """

    kind: RouterKind
    suffix: str  # of the files that the router's main file includes
    shared: str  # the common file, or its beginning; empty: there is none
    site: Callable[[Route, Mapping[str, str | int]], str]
    functions: str
