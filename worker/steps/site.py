"""Where one app server lives on its host: every path below the base folder, and its names."""

import re
from dataclasses import dataclass

_SLUG_LENGTH = 40


@dataclass(frozen=True)
class Site:
    """One app server of an instance; paths are relative to the host's base folder."""

    instance: str
    number: int
    revision: str

    @property
    def release(self) -> str:
        """The folder name of the release: readable, and unique through the number."""
        words = re.sub(r"[^A-Za-z0-9._-]+", "-", self.revision)[:_SLUG_LENGTH].strip("-.")
        return f"{words or 'release'}-{self.number}"

    @property
    def service(self) -> str:
        """The name under which a supervisor knows it."""
        return f"liftlock-{self.instance}-{self.number}"

    @property
    def app_dir(self) -> str:
        return f"apps/{self.instance}"

    @property
    def shared_dir(self) -> str:
        return f"{self.app_dir}/shared"

    @property
    def release_dir(self) -> str:
        return f"{self.app_dir}/releases/{self.release}"

    @property
    def run_dir(self) -> str:
        return f"{self.app_dir}/run/{self.number}"

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
