"""The forms of operations on many accounts or connections, on the pages and in the admin."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from accounts.batch.operations import Operation, Subject
from accounts.batch.rows import Rows
from accounts.update import check_changes
from amazon_accounts.labels import read_label_lines
from tokens.connect.forms import MoveForm
from tokens.connect.update import MAX_EMAIL_LENGTH
from tokens.connect.update import check_changes as check_connection_changes
from tokens.models import Team

SYNC_CHOICES = [("", "No change"), ("on", "On"), ("off", "Off")]


class OptionsForm(forms.Form):
    """The options of an operation."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if not self.is_bound:
            next(iter(self.fields.values())).widget.attrs["autofocus"] = True

    @property
    def options(self) -> dict[str, Any]:
        """What the valid form says, as the operation takes it."""
        raise NotImplementedError

    def full_clean(self) -> None:
        # The browser puts the cursor into the first field with an error.
        super().full_clean()
        if self.errors:
            at_fault = next((name for name in self.fields if name in self.errors), next(iter(self.fields)))
            self.fields[at_fault].widget.attrs["autofocus"] = True


class LabelsForm(OptionsForm):
    """Labels to set and to remove."""

    set_labels = forms.CharField(
        label="Set labels",
        required=False,
        help_text="One per line, e.g. team: north. Shift and Enter begin a line.",
        widget=forms.Textarea(
            attrs={"rows": 3, "class": "c-field", "placeholder": "team: north", "data-enter": True}
        ),
    )
    remove_labels = forms.CharField(
        label="Remove labels",
        required=False,
        help_text="One name per line, e.g. budget.",
        widget=forms.Textarea(attrs={"rows": 2, "class": "c-field", "placeholder": "budget"}),
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

    @property
    def options(self) -> dict[str, Any]:
        labels: dict[str, str | None] = dict(self.cleaned_data["set_labels"])
        labels |= dict.fromkeys(self.cleaned_data["remove_labels"])
        return {"labels": labels} if labels else {}


class UpdateForm(LabelsForm):
    """Labels to set and to remove, and whether the accounts are synced; at least one of them."""

    sync = forms.ChoiceField(
        label="Sync",
        required=False,
        choices=SYNC_CHOICES,
        widget=forms.Select(attrs={"class": "c-field"}),
    )

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

    @property
    def options(self) -> dict[str, Any]:
        options = super().options
        if self.cleaned_data["sync"]:
            options["sync_enabled"] = self.cleaned_data["sync"] == "on"
        return options


class ConnectionUpdateForm(LabelsForm):
    """Labels to set and to remove, and the contact of connections; at least one of them."""

    contact_email = forms.EmailField(
        label="Contact",
        required=False,
        max_length=MAX_EMAIL_LENGTH,
        help_text="Whom to ask to renew these logins. Left empty, each keeps the contact that it has.",
        widget=forms.EmailInput(attrs={"class": "c-field", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        if not self.options:
            raise ValidationError("Name at least one label to set or remove, or a contact.")
        try:
            check_connection_changes(self.options)
        except ValidationError as error:
            raise ValidationError(error.messages) from error
        return cleaned

    @property
    def options(self) -> dict[str, Any]:
        contact = self.cleaned_data["contact_email"]
        return {**super().options, **({"contact_email": contact} if contact else {})}


class TargetForm(OptionsForm, MoveForm):
    """The team that gets connections."""

    @property
    def options(self) -> dict[str, Any]:
        return {"team": str(self.cleaned_data["team"].pk)}


def make_form(rows: Rows, operation: Operation, user: User, data: Any) -> OptionsForm | None:
    """Return the form of the options that the operation needs; None if it needs none."""
    if rows.subject == Subject.CONNECTIONS and operation == Operation.MOVE:
        return TargetForm(data, teams=Team.objects.allowing(user, "tokens.connect_amazon"))
    if operation != Operation.UPDATE:
        return None
    return ConnectionUpdateForm(data) if rows.subject == Subject.CONNECTIONS else UpdateForm(data)


def _lines(text: str) -> list[str]:
    return [line for line in (line.strip() for line in text.splitlines()) if line]
