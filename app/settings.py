"""Settings from the environment (`LIFTLOCK_…`). Only the composition roots read them."""

import base64
import binascii
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

KEY_BYTES = 32
STORE, URL, CACHE = "LIFTLOCK_ASSETS_STORE", "LIFTLOCK_ASSETS_URL", "LIFTLOCK_ASSETS_CACHE"


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
    #: Seconds after which a router is read back again, to see whether it is still as wanted; 0:
    #: never.
    router_look_seconds: int = Field(default=300, ge=0)
    #: Seconds after which somebody looks again whether the extensions of a site are all in their
    #: place; 0: never.
    extension_look_seconds: int = Field(default=900, ge=0)
    #: Where workers publish static files, and where browsers find them; without them nowhere.
    assets_store: str | None = None
    assets_url: str | None = None
    #: Where a worker keeps contents of static files; by default below the user's cache folder.
    assets_cache: Path | None = None
    #: Programs that make machines, by name, as JSON; see docs/providers.md.
    providers: str = "{}"
    #: For tests of the benchmark alone: app servers go into service that nobody has asked.
    test_skip_health_gate: bool = False
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

    def assets_place(self) -> tuple[str, str] | None:
        """Store and base URL of asset releases, the latter with a final `/`; raises BadSetting."""
        if self.assets_store == "":
            return None  # said in so many words
        given = {STORE: self.assets_store, URL: self.assets_url}
        missing = [name for name, value in given.items() if not value]
        if len(missing) == len(given):
            return None
        if missing:
            raise BadSetting(f"Set {missing[0]} too: {STORE} and {URL} belong together.")
        store, url = self.assets_store or "", self.assets_url or ""
        if not re.match(r"(s3|gs|az)://[^/]|file:///", store) or _is_odd(store):
            raise BadSetting(
                f"{STORE} wants s3://bucket/prefix or file:///folder, without user, query or "
                "fragment."
            )
        if not re.match(r"https?://[^/]", url) or _is_odd(url):
            raise BadSetting(f"{URL} wants https://host/path/, without user, query or fragment.")
        return store, url if url.endswith("/") else f"{url}/"

    def assets_folder(self) -> Path:
        """Absolute; raises BadSetting."""
        if self.assets_cache is None:
            caches = os.environ.get("XDG_CACHE_HOME", "")
            home = Path(caches) if caches.startswith("/") else Path.home() / ".cache"
            return home / "liftlock" / "assets"
        if not self.assets_cache.is_absolute():
            raise BadSetting(f"{CACHE} wants an absolute path, as /var/cache/liftlock/assets.")
        return self.assets_cache

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


def _is_odd(url: str) -> bool:
    """Whether it has a part that may be a secret, or is no URL."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return True
    return "@" in parts.netloc or "?" in url or "#" in url
