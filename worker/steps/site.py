"""Where one app server lives on its host: every path below the base folder, and its names."""

from dataclasses import dataclass

from app.domain import release


@dataclass(frozen=True)
class Site:
    """One app server of an instance; paths are relative to the host's base folder."""

    instance: str
    number: int
    revision: str

    @property
    def service(self) -> str:
        """The name under which a supervisor knows it."""
        return f"liftlock-{self.instance}-{self.number}"

    @property
    def app_dir(self) -> str:
        return release.app_dir(self.instance)

    @property
    def shared_dir(self) -> str:
        return f"{self.app_dir}/shared"

    @property
    def release_dir(self) -> str:
        return release.release_dir(self.instance, self.revision, self.number)

    @property
    def release(self) -> str:
        """The name of the release's folder."""
        return self.release_dir.rpartition("/")[2]

    @property
    def run_dir(self) -> str:
        return release.run_dir(self.instance, self.number)

    @property
    def mirror(self) -> str:
        return f"{self.app_dir}/repo.git"

    @property
    def current(self) -> str:
        return f"{self.app_dir}/current"

    @property
    def paths(self) -> dict[str, str]:
        """The folders that every script of a recipe sees."""
        return {
            "APP_DIR": self.app_dir,
            "SHARED_DIR": self.shared_dir,
            "RELEASE_DIR": self.release_dir,
            "RUN_DIR": self.run_dir,
        }
