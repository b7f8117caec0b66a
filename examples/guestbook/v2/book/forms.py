"""The form with which a visitor signs the book."""

from django import forms
from django.core.exceptions import ValidationError

from book.models import Entry, Mood


class LineField(forms.CharField):
    """A text whose line breaks count as one character, as they do in the browser."""

    def to_python(self, value: str | None) -> str:
        return super().to_python(value).replace("\r\n", "\n")


class EntryForm(forms.ModelForm):
    """Checks and saves a new entry."""

    # Not required: a page opened before this revision has no such field, yet may still be sent.
    mood = forms.ChoiceField(
        label="How was the water?",
        choices=Mood,
        initial=Mood.STILL,
        required=False,
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Entry
        fields = ("name", "place", "text", "mood")
        field_classes = {"text": LineField}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "text": forms.Textarea(attrs={"rows": 5}),
        }
        error_messages = {
            "name": {"required": "Please sign with a name; a first name is enough."},
            "text": {"required": "Please write a line before you sign."},
        }

    def clean_text(self) -> str:
        text = self.cleaned_data["text"]
        if "://" in text:
            message = "This book takes no links. Please say it in words."
            raise ValidationError(message, code="link")
        return text
