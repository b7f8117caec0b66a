"""One app server, as every plan that has to do with it sees it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from app.domain.asset_release import AssetPlace
from app.domain.extension import Extension
from app.domain.host import Supervisor
from app.domain.recipe import Recipe, name_problem
from app.domain.recipe_parts import Via
from worker.plans import static_files
from worker.steps import extension, service, supervisord, systemd
from worker.steps.recipe_step import Surroundings
from worker.steps.service import Service
from worker.steps.site import Site
from worker.steps.step import Probe


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Facts that never change once it is made; `environment` is `Recipe.resolve_settings`."""

    id: UUID
    number: int
    instance: str
    revision: str
    recipe: Recipe
    environment: Mapping[str, str]
    port: int
    #: Where it listens.
    address: str = "127.0.0.1"
    name: str = ""
    #: The exact commit or version; empty until its provision has found it.
    commit: str = ""
    domain: str = ""
    #: Names of the secrets that the instance has.
    secret_names: tuple[str, ...] = ()
    host_name: str = ""
    base_dir: str = "liftlock"
    sudo: bool = False
    supervisor: Supervisor = Supervisor.NONE
    supervisor_options: Mapping[str, object] = field(default_factory=dict)
    #: What its release contains besides the application, in the order of enabling.
    extensions: tuple[Extension, ...] = ()
    #: Where this worker publishes; None: it has no place.
    asset_place: AssetPlace | None = None

    @property
    def site(self) -> Site:
        return Site(self.instance, self.number, self.revision)

    @property
    def upstream(self) -> str:
        """What a router is told: `host:port`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    @property
    def title(self) -> str:
        """How people read of it."""
        return self.name or f"AppServer {self.number}"

    @property
    def released_to(self) -> AssetPlace | None:
        """The instance's part of the place; None when there is to be no asset release."""
        if self.asset_place is None or not self.wants_release:
            return None
        return self.asset_place.of(self.instance)

    @property
    def wants_release(self) -> bool:
        return static_files.is_released(self.recipe.static, self.environment)

    @property
    def surroundings(self) -> Surroundings:
        """What the recipe's scripts see; Liftlock's own names win over everything else."""
        facts = {
            "BIND": self.address,
            "PORT": str(self.port),
            "INSTANCE": self.instance,
            "REVISION": self.revision,
            "DOMAIN": self.domain,
        }
        if self.commit:
            facts["COMMIT"] = self.commit
        if place := self.released_to:
            facts["ASSETS_URL"] = place.base_url
        secrets = tuple(name for name in self.secret_names if name_problem(name) is None)
        # A secret stands in for the setting of its name, and is not shown as one.
        settings = {name: value for name, value in self.environment.items() if name not in secrets}
        files: dict[str, str] = {}
        if self.recipe.extension:
            facts["EXTENSIONS"] = " ".join(one.name for one in self.extensions if one.enabled)
            files["EXTENSIONS_FILE"] = extension.list_path(self.site)
        return Surroundings(self.site, {**settings, **facts}, secrets, files)

    @property
    def via(self) -> Via:
        """`auto` takes the host's supervisor, unless the values may not be kept for it."""
        start = self.recipe.start
        if start.via is not Via.AUTO:
            return start.via
        if self.supervisor is Supervisor.NONE or not start.env_file:
            return Via.COMMAND
        return Via(self.supervisor.value)

    @property
    def service(self) -> Service:
        options, sudo = self.supervisor_options, self.sudo
        match self.via:
            case Via.SUPERVISORD:
                return supervisord.service(self.site, self.recipe, options=options, sudo=sudo)
            case Via.SYSTEMD:
                return systemd.service(self.site, self.recipe, options=options, sudo=sudo)
        return service.plain(self.surroundings, self.recipe)

    @property
    def check(self) -> Probe:
        """The recipe's check, asked at the app server itself while its process lives."""
        return service.answers(
            self.site,
            self.recipe,
            port=self.port,
            path=self.recipe.check.path_for(self.environment),
            alive=self.service.alive,
            address=self.address,
        )

    def at(self, own: str) -> str:
        """`Step.at` for a job whose own host is called so."""
        return "" if self.host_name == own else self.host_name

    @property
    def hint(self) -> str:
        base = self.base_dir if self.base_dir.startswith("/") else f"~/{self.base_dir}"
        return (
            f"On {self.host_name or 'the host'}, the files are in {base}/{self.site.release_dir} "
            f"and the site's log in {base}/{self.site.run_dir}/log."
        )


def slug(*words: str) -> str:
    """Words as the name of a step."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
