"""Stands in for the worker: arq itself, with nothing to do."""

import os
import sys
from typing import ClassVar

from arq.connections import RedisSettings


async def nothing(context):
    """Arq wants one function."""


class WorkerSettings:
    functions: ClassVar = [nothing]
    redis_settings = RedisSettings.from_dsn(os.environ["LIFTLOCK_REDIS_URL"])


if os.environ.get("STAND_IN_WORKER") == "broken":
    sys.exit("the worker has no wish to work")
