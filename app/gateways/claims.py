"""Claims on messages of the wake-up queue: leases in Redis that a dead worker cannot keep."""

import os
from collections.abc import Iterable

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix

#: Milliseconds after which the claims of a dead worker may be taken.
LEASE = 15_000

# KEYS: queue. ARGV: free slots, lease, owner, prefix of claims, prefix of messages. Claimed ids
# leave the queue only when done, so that another worker finds them when the lease ends. What is due
# goes by the clock of Redis, which all share.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local found = {}
local from = 0
while #found < tonumber(ARGV[1]) do
  local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', from, 500)
  for _, id in ipairs(ids) do
    if #found < tonumber(ARGV[1])
        and redis.call('SET', ARGV[4] .. id, ARGV[3], 'NX', 'PX', ARGV[2]) then
      found[#found + 1] = { id, redis.call('GET', ARGV[5] .. id) }
    end
  end
  if #ids < 500 then break end
  from = from + 500
end
return found
"""

# KEYS: queue, claim, message. ARGV: owner, id. Only the owner may end a claim.
_END = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
return redis.call('ZREM', KEYS[1], ARGV[2])
"""


class Claims:
    """What one worker process has taken from one queue. Every call may raise RedisError."""

    def __init__(self, redis: ArqRedis, queue: str) -> None:
        self._redis, self._queue = redis, queue
        self._owner = os.urandom(8).hex()
        self._take = redis.register_script(_TAKE)
        self._end = redis.register_script(_END)

    async def take(self, most: int) -> list[tuple[str, bytes | None]]:
        """At most so many messages that are due, now this worker's: their ids and texts.

        One round trip. A text is None when Redis has lost it.
        """
        prefixes = [in_progress_key_prefix, job_key_prefix]
        values: list[str | int] = [most, LEASE, self._owner, *prefixes]
        return [(name.decode(), text) for name, text in await self._take([self._queue], values)]

    async def renew(self, names: Iterable[str]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.pexpire(in_progress_key_prefix + name, LEASE)
            await pipe.execute()

    async def end(self, name: str) -> None:
        """The message is done with."""
        keys = [self._queue, in_progress_key_prefix + name, job_key_prefix + name]
        await self._end(keys, [self._owner, name])
