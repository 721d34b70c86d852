from datetime import date
from typing import Any, cast

from django import forms

from amazon_accounts.amazon_ads.foreign_text import has_token
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.labels import find_error_in_labels, read_label_lines
from tokens.connect.update import MAX_EMAIL_LENGTH, MAX_LABEL_LENGTH, clean_label, list_owners
from tokens.models import Connection, Team, TeamQuerySet


class RegionsField(forms.CharField):
    """Regions such as `NA,EU`, in upper or lower case. No region means all regions."""

    def clean(self, value: Any) -> list[str]:
        names = [part.strip().upper() for part in (super().clean(value) or "").split(",")]
        regions = list(dict.fromkeys(name for name in names if name))
        if any(name not in Region.values for name in regions):
            # The text is not repeated, because it may be a token in the wrong place.
            raise forms.ValidationError(f"Unknown region. The regions are {', '.join(Region.values)}.")
        return regions


class LabelField(forms.CharField):
    def clean(self, value: Any) -> str:
        label = super().clean(value)
        return clean_label(label) if label else ""

    def bound_data(self, data: Any, initial: Any) -> Any:
        # A token that was typed here is not shown again.
        return "" if isinstance(data, str) and has_token(data) else super().bound_data(data, initial)


class RegionsChoiceField(forms.MultipleChoiceField):
    """Regions as check boxes. At least one is required."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=Region.choices,
            widget=forms.CheckboxSelectMultiple(attrs={"class": "c-check"}),
            error_messages={"required": "Choose at least one region."},
            **kwargs,
        )


class LabelsField(forms.CharField):
    """All labels of something, one on each line."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "class": "c-field", "placeholder": "client: acme"})
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, value: Any) -> dict[str, str]:
        labels = read_label_lines(super().clean(value) or "")
        if error := find_error_in_labels(labels):
            raise forms.ValidationError(error)
        return labels

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{name}: {text}" for name, text in sorted(value.items()))
        return value

    def bound_data(self, data: Any, initial: Any) -> Any:
        return "" if isinstance(data, str) and has_token(data) else super().bound_data(data, initial)


class ConnectionForm(forms.Form):
    """The label and labels, the contact, the regions and the person responsible of a connection."""

    label = LabelField(
        label="Label", widget=forms.TextInput(attrs={"class": "c-field", "maxlength": MAX_LABEL_LENGTH})
    )
    labels = LabelsField(label="Labels", help_text="One on each line, as “client: acme”.")
    contact_email = forms.EmailField(
        label="Contact",
        required=False,
        max_length=MAX_EMAIL_LENGTH,
        help_text="Whom to ask to renew the login: one e-mail address.",
        widget=forms.EmailInput(attrs={"class": "c-field", "autocomplete": "off"}),
    )
    regions = RegionsChoiceField(
        label="Regions",
        help_text="Accounts of a region that is left out stay in the list and are no longer updated.",
    )
    consented_on = forms.DateField(
        label="Consented on",
        required=False,
        help_text="The day on which the login consented at Amazon. The end of the consent follows from it.",
        widget=forms.DateInput(attrs={"class": "c-field", "type": "date"}, format="%Y-%m-%d"),
    )
    owner = forms.ChoiceField(
        label="Responsible",
        required=False,
        help_text="Whom others ask about the login. It does not change who may do what.",
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    def __init__(self, data: Any = None, *, connection: Connection) -> None:
        present = {
            name: getattr(connection, name) for name in ("label", "labels", "contact_email", "regions")
        }
        owner, day = connection.owner.get_username(), connection.consented_on
        super().__init__(data, initial={**present, "owner": owner, "consented_on": day})
        if not connection.is_consent_given_by_people:
            del self.fields["consented_on"]
        names = {owner, *list_owners(connection).values_list("username", flat=True)}
        cast("forms.ChoiceField", self.fields["owner"]).choices = [(name, name) for name in sorted(names)]

    def clean_labels(self) -> dict[str, str | None]:
        # A label that is not in the text any more is removed. A form without this field leaves the labels.
        if "labels" not in self.data:
            return {}
        return {**dict.fromkeys(self.initial["labels"]), **self.cleaned_data["labels"]}

    def clean_contact_email(self) -> str:
        if "contact_email" not in self.data:
            return str(self.initial["contact_email"])
        return str(self.cleaned_data["contact_email"])

    def clean_consented_on(self) -> date | None:
        given: date | None = self.cleaned_data["consented_on"]
        return given if "consented_on" in self.data else self.initial["consented_on"]

    def clean_owner(self) -> str:
        # A form without this field, as of an earlier version of the page, leaves it as it is.
        return str(self.cleaned_data["owner"] or self.initial["owner"])


class MoveForm(forms.Form):
    """The team that gets a connection: one of `teams`."""

    team = forms.ModelChoiceField(
        Team.objects.none(),
        label="To the team",
        empty_label="Choose a team",
        error_messages={
            "required": "Choose the team.",
            "invalid_choice": "You may connect no logins in this team.",
        },
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    def __init__(self, data: Any = None, *, teams: TeamQuerySet) -> None:
        super().__init__(data)
        cast("forms.ModelChoiceField[Team]", self.fields["team"]).queryset = teams


class ReconnectForm(forms.Form):
    """Where the person signs in at Amazon."""

    region = forms.ChoiceField(
        label="Sign in at Amazon in",
        choices=Region.choices,
        required=False,
        initial=Region.NA.value,
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    def clean_region(self) -> str:
        return self.cleaned_data["region"] or Region.NA.value


class ConnectForm(ReconnectForm):
    """The choices for a new connection. A login that is connected already keeps its label and regions.

    `teams` are those that may get the connection, and `default` is the one that gets it if none is chosen. There is no
    choice if there is only one.
    """

    team = forms.ModelChoiceField(
        Team.objects.none(),
        label="Team",
        empty_label="Choose a team",
        help_text="Whose members share the login and its accounts.",
        error_messages={"required": "Choose the team."},
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    label = LabelField(
        label="Label",
        required=False,
        help_text="The name of the connection. Left empty, it is the login's e-mail address.",
        widget=forms.TextInput(attrs={"class": "c-field", "maxlength": MAX_LABEL_LENGTH}),
    )
    regions = RegionsChoiceField(
        label="Regions", initial=Region.values, help_text="Where the console looks for accounts."
    )
    field_order = ("team", "label", "regions", "region")

    def __init__(self, *args: Any, teams: TeamQuerySet, default: Team | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._default = teams[0] if len(teams) == 1 else default
        if len(teams) > 1:
            field = cast("forms.ModelChoiceField[Team]", self.fields["team"])
            field.queryset, field.initial, field.required = teams, default, default is None
        else:
            del self.fields["team"]

    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("team"):
            self.cleaned_data["team"] = self._default
        return self.cleaned_data
