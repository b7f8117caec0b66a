"""Every entry says how the water was; the older ones saw it still."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("book", "0002_opening_entry"),)
    operations = (
        migrations.AddField(
            model_name="entry",
            name="mood",
            field=models.CharField(
                "how was the water?",
                max_length=10,
                choices=[
                    ("still", "Still"),
                    ("rippling", "Rippling"),
                    ("choppy", "Choppy"),
                    ("misty", "Misty"),
                ],
                default="still",
                db_default="still",
            ),
        ),
    )
