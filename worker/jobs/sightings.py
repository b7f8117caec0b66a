"""What looks at extensions reported, as the values that are kept of it."""

from collections.abc import Mapping
from uuid import UUID

from app.domain import extension_sighting
from app.domain.redaction import Redactor
from app.services.extension_sightings import Seen
from worker.steps.step import Note


def sightings_of(note: Note, facts: Mapping[str, str], redactor: Redactor) -> list[Seen]:
    """Of the note at the end of an inspection; what comes from hosts is shown to people."""
    clean = {name: redactor.clean(value) for name, value in facts.items()}
    looked = note.data["seen"]
    return [
        Seen(
            app_server=UUID(str(one["app_server"])),
            name=str(one["name"]),
            version=str(one["version"]),
            found=extension_sighting.read(
                clean, extension_sighting.fact(int(str(one["number"])), str(one["name"]))
            ),
        )
        for one in (looked if isinstance(looked, list) else ())
        if isinstance(one, dict)
    ]
