"""Locks in Redis: several names at once or none, with a lifetime and a note for people.

They keep jobs apart in health. They are not the proof: that is the attempt number in Postgres.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

# KEYS: the locks. ARGV: owner (job id), value, milliseconds. A lock that the same job left
# behind is taken over: its earlier attempt cannot write any more. Returns the first value found
# in the way, or nothing when all are held now.
_ACQUIRE = """
for _, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held and cjson.decode(held).job ~= ARGV[1] then return held end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2], 'PX', ARGV[3]) end
return false
"""

_RENEW = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
return 1
"""

_RELEASE = """
local gone = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then gone = gone + redis.call('DEL', key) end
end
return gone
"""


class LocksUnavailable(Exception):
    """Redis does not answer, so nothing is known about any lock."""


class LockLost(Exception):
    """A lock is not ours any more: the work under it must stop."""


@dataclass(frozen=True)
class Held:
    """Locks that one attempt of a job holds."""

    names: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Refused:
    """Somebody else's note on the first lock that was in the way."""

    holder: Mapping[str, Any]


class Locks:
    def __init__(self, redis: Redis, *, ttl: timedelta) -> None:
        self._ttl_ms = int(ttl / timedelta(milliseconds=1))
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)

    async def try_acquire(
        self, names: Sequence[str], *, job: UUID, note: Mapping[str, Any]
    ) -> Held | Refused:
        """All of them or none, without waiting; raises LocksUnavailable."""
        value = json.dumps({**note, "job": str(job)}, default=str)
        try:
            held = await self._acquire(_keys(names), [str(job), value, self._ttl_ms])
        except (RedisError, OSError) as error:
            raise LocksUnavailable(str(error)) from error
        if held is not None:
            return Refused(json.loads(held))
        return Held(tuple(sorted(names)), value)

    async def renew(self, held: Held) -> None:
        """Raises LockLost when one of them expired or was taken; LocksUnavailable."""
        try:
            renewed = await self._renew(_keys(held.names), [held.value, self._ttl_ms])
        except (RedisError, OSError) as error:
            raise LocksUnavailable(str(error)) from error
        if not renewed:
            raise LockLost(", ".join(held.names))

    async def release(self, held: Held) -> None:
        """Give back what is still ours; what Redis cannot be told now expires by itself."""
        try:
            await self._release(_keys(held.names), [held.value])
        except (RedisError, OSError):
            return


def _keys(names: Sequence[str]) -> list[str]:
    return [f"lock:{name}" for name in sorted(names)]
