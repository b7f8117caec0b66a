"""Settings from the environment (`LIFTLOCK_…`). Only the composition roots read them."""

import base64
import binascii
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

KEY_BYTES = 32


class BadSetting(Exception):
    """A setting is missing or wrong; the message says which and how to mend it."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LIFTLOCK_", extra="ignore")

    database_url: SecretStr = SecretStr("postgresql+asyncpg://liftlock@127.0.0.1/liftlock")
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    master_key: SecretStr | None = None
    master_key_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8700
    #: Jobs one worker process runs side by side.
    worker_slots: int = 10
    #: Jobs that run at a time, on all workers together; 0 is no bound.
    max_running: int = Field(default=0, ge=0)
    #: The events of a job are kept for as long after its end, at least.
    events_kept_days: int = Field(default=90, ge=1)
    log_level: str = "INFO"
    log_json: bool = False

    def key(self) -> bytes:
        """The 32 bytes that encrypt secrets; raises BadSetting."""
        text = self._key_text()
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise BadSetting(
                "The master key must be 32 bytes in base64. Make one with:"
                " head -c 32 /dev/urandom | base64"
            )
        return key

    def _key_text(self) -> str:
        if self.master_key is not None:
            return self.master_key.get_secret_value().strip()
        if self.master_key_file is None:
            raise BadSetting("Set LIFTLOCK_MASTER_KEY or LIFTLOCK_MASTER_KEY_FILE.")
        try:
            return self.master_key_file.read_text().strip()
        except OSError as error:
            raise BadSetting(
                f"The master key file {self.master_key_file} cannot be read: {error.strerror}."
            ) from error
