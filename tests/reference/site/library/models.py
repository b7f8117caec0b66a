from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, models.CASCADE)
    published = models.DateTimeField(null=True, blank=True)
    related = models.ManyToManyField("self", blank=True)

    def __str__(self):
        return self.title
