"""What makes the admin load most of its files: dates, lookups, pop-ups, inlines, filters."""

from django.contrib import admin
from django.forms.widgets import Script

from library.models import Author, Book


class Books(admin.TabularInline):
    model = Book
    extra = 1


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    search_fields = ("name",)
    inlines = (Books,)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    autocomplete_fields = ("author",)
    filter_horizontal = ("related",)
    list_filter = ("author", "published")
    date_hierarchy = "published"
    prepopulated_fields = {}
    search_fields = ("title",)

    class Media:
        css = {"all": ("library/css/library.css",)}
        js = (Script("library/js/main.js", type="module"),)
