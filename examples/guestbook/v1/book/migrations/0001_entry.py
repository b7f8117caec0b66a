"""The table of entries."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField("your name", max_length=60)),
                ("place", models.CharField("where you came from", max_length=60, blank=True)),
                ("text", models.TextField("your line", max_length=600)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"ordering": ("-pk",), "verbose_name_plural": "entries"},
        ),
    )
