"""What a worker tells of asset releases, as its notes have it."""

from app.domain.asset_release import AssetReleaseStatus
from app.domain.asset_report import AssetReleaseReport

MISSING = {
    "code": "missing-reference",
    "message": "css/site.css, line 3: there is no img/logo.png.",
    "file": "css/site.css",
    "line": 3,
    "reference": "../img/logo.png",
    "nearest": ["img/logo.svg"],
}
TOLD = {
    "release": "c0ffee-1",
    "hash": "5d41402abc4b",
    "files": 12,
    "bytes": 3_000_000_000,
    "new": 3,
    "new_bytes": 2_500_000_000,
    "reused": 9,
    "copies": 20,
    "warnings": [MISSING],
    "errors": [],
    "base_url": "https://static.invalid/shop/",
    "manifest_url": "https://static.invalid/shop/_releases/c0ffee-1/assets.json",
}


def published(clean=str, **told):
    return AssetReleaseReport.of(AssetReleaseStatus.PUBLISHED, {**TOLD, **told}, clean=clean)


def failed(**told):
    data = {"release": "c0ffee-1", "errors": [MISSING], **told}
    return AssetReleaseReport.of(AssetReleaseStatus.FAILED, data, clean=str)
