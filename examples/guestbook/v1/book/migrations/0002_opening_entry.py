"""The line that opens the book, so that nobody has to write on a blank page."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

OPENING = {
    "name": "The lockside",
    "place": "between two levels",
    "text": (
        "This book lies open from the first boat to the last.\n"
        "Tell us what you saw: the gates, the weather, the boat you would have liked to be on."
    ),
}


def write_opening(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    entries = apps.get_model("book", "Entry").objects.using(editor.connection.alias)
    entries.create(**OPENING)


class Migration(migrations.Migration):
    dependencies = (("book", "0001_entry"),)
    # Going back leaves the line in place: it is an entry like any other now.
    operations = (migrations.RunPython(write_opening, migrations.RunPython.noop),)
