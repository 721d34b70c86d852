"""The form of an update of accounts, on the pages and in the admin."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.update import check_changes
from amazon_accounts.labels import read_label_lines

SYNC_CHOICES = [("", "Leave as it is"), ("on", "On"), ("off", "Off")]


class UpdateForm(forms.Form):
    """Labels to set and to remove, and whether the accounts are synced; at least one of them."""

    set_labels = forms.CharField(
        label="Set labels",
        required=False,
        help_text="One on each line, as “team: north”.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "c-field", "placeholder": "team: north"}),
    )
    remove_labels = forms.CharField(
        label="Remove labels",
        required=False,
        help_text="One name on each line, as “budget”.",
        widget=forms.Textarea(attrs={"rows": 2, "class": "c-field", "placeholder": "budget"}),
    )
    sync = forms.ChoiceField(
        label="Sync",
        required=False,
        choices=SYNC_CHOICES,
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    def clean_set_labels(self) -> dict[str, str]:
        labels = read_label_lines(self.cleaned_data["set_labels"])
        if without_value := next((name for name, value in labels.items() if not value), None):
            raise ValidationError(f"“{without_value[:40]}” has no value. Write it as “team: north”.")
        return labels

    def clean_remove_labels(self) -> list[str]:
        names = _lines(self.cleaned_data["remove_labels"])
        for name in names:
            # If the labels to set have an error themselves, they are missing here.
            if name in self.cleaned_data.get("set_labels", {}):
                raise ValidationError(f"“{name[:40]}” is set and removed.")
        return names

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        if not self.options:
            raise ValidationError("Name at least one label to set or remove, or choose whether to sync.")
        try:
            check_changes(self.options, ("labels", "sync_enabled"))
        except ValidationError as error:
            raise ValidationError(error.messages) from error
        return cleaned

    def full_clean(self) -> None:
        # The browser puts the cursor into the first field with an error.
        super().full_clean()
        if self.errors:
            at_fault = next((name for name in self.fields if name in self.errors), "set_labels")
            self.fields[at_fault].widget.attrs["autofocus"] = True

    @property
    def options(self) -> dict[str, Any]:
        labels: dict[str, str | None] = dict(self.cleaned_data["set_labels"])
        labels |= dict.fromkeys(self.cleaned_data["remove_labels"])
        options: dict[str, Any] = {"labels": labels} if labels else {}
        if self.cleaned_data["sync"]:
            options["sync_enabled"] = self.cleaned_data["sync"] == "on"
        return options


def _lines(text: str) -> list[str]:
    return [line for line in (line.strip() for line in text.splitlines()) if line]
