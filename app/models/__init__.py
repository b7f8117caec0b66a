"""Tables: columns only, no queries. Importing this package registers them all."""

from app.models.app_server import AppServer
from app.models.asset_release import AssetRelease
from app.models.event import Event
from app.models.extension import Extension, ExtensionHost
from app.models.host import Host
from app.models.idempotency import Answered
from app.models.identity import Identity
from app.models.instance import Instance, Secret
from app.models.job import Job, JobStep
from app.models.lock import Lock
from app.models.machine import Machine
from app.models.package import Package
from app.models.recipe import Recipe
from app.models.router import LeftRoute, Router
from app.models.token import Token

__all__ = [
    "Answered",
    "AppServer",
    "AssetRelease",
    "Event",
    "Extension",
    "ExtensionHost",
    "Host",
    "Identity",
    "Instance",
    "Job",
    "JobStep",
    "LeftRoute",
    "Lock",
    "Machine",
    "Package",
    "Recipe",
    "Router",
    "Secret",
    "Token",
]
