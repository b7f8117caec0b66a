"""What a visitor leaves in the book."""

from django.db import models


class Entry(models.Model):
    """One signed line. Its primary key is the number shown beside it."""

    name = models.CharField("your name", max_length=60)
    place = models.CharField("where you came from", max_length=60, blank=True)
    text = models.TextField("your line", max_length=600)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"No. {self.pk} by {self.name}"
