"""The one page of the site: read the book, sign the book."""

from http import HTTPStatus

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from book.forms import EntryForm
from book.models import Entry, Mood

ENTRIES_PER_PAGE = 6


@require_http_methods(["GET", "HEAD", "POST"])
def book(request: HttpRequest) -> HttpResponse:
    form = EntryForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        entry = form.save()
        messages.success(request, f"Thank you, {entry.name}. Your line is number {entry.pk}.")
        return redirect(f"{reverse('book')}#entries")
    wanted = request.GET.get("mood")
    mood = Mood(wanted) if wanted in Mood.values else None
    chosen = Entry.objects.filter(mood=mood) if mood else Entry.objects.all()
    entries = Paginator(chosen, ENTRIES_PER_PAGE).get_page(request.GET.get("page"))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_bound else HTTPStatus.OK
    shown = {"form": form, "entries": entries, "mood": mood, "tally": Entry.objects.tally()}
    return render(request, "book/book.html", shown, status=status)
