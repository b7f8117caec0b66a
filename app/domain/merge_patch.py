"""JSON Merge Patch (RFC 7396): what is named changes, null takes away, the rest stays."""

from collections.abc import Mapping


def merge_patch(target: object, patch: object) -> object:
    """The target with the patch applied; both are plain JSON data and stay as they are."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
