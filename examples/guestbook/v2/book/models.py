"""What a visitor leaves in the book."""

from django.db import models


class Mood(models.TextChoices):
    """How the water was, in the eyes of the one who signed."""

    STILL = "still", "Still"
    RIPPLING = "rippling", "Rippling"
    CHOPPY = "choppy", "Choppy"
    MISTY = "misty", "Misty"


class EntryQuerySet(models.QuerySet["Entry"]):
    def tally(self) -> list[tuple[Mood, int]]:
        """Every mood with the number of its entries, in the order of the choices."""
        counted = dict(self.order_by().values_list("mood").annotate(models.Count("pk")))
        return [(mood, counted.get(mood.value, 0)) for mood in Mood]


class Entry(models.Model):
    """One signed line. Its primary key is the number shown beside it."""

    name = models.CharField("your name", max_length=60)
    place = models.CharField("where you came from", max_length=60, blank=True)
    text = models.TextField("your line", max_length=600)
    # The database fills it in too: the revision before this one still writes while it is replaced.
    mood = models.CharField(
        "how was the water?",
        max_length=10,
        choices=Mood,
        default=Mood.STILL,
        db_default=Mood.STILL,
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"No. {self.pk} by {self.name}"
