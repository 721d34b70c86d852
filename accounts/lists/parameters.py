"""The readers of query strings that filter, sort and page a list, and the parameters of the list of accounts."""

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.datastructures import MultiValueDict

from accounts.errors import build_validation_error
from accounts.lists.account_pages import ACCOUNT_ORDERINGS
from accounts.lists.by_connection import NO_REASON
from accounts.lists.labels import list_values
from accounts.models import Account, HealthReason, Standing
from accounts.strict_json import BadJSONError, read_json
from amazon_accounts.amazon_ads.marketplaces import show_country

MAX_SEARCH_LENGTH = 200  # characters
MAX_JSON_LENGTH = 4_000  # characters
MAX_VALUES = 100  # of one parameter
MAX_CHOICES = 100  # of labels of which a row may have any
MAX_PAGE_SIZE = 500
DEFAULT_ORDERING = "name"
# A cursor holds a whole name: 2,000 bytes of it may be 12,000 escaped, and a third more in base64.
MAX_CURSOR_LENGTH = 20_000  # characters
MAX_SHOWN_LENGTH = 60  # characters of a wrong name

ORDERINGS = [direction + name for name in ACCOUNT_ORDERINGS for direction in ("", "-")]
PAGING = ("page_size", "cursor", "ordering")
# How the dashboard shows the list. The API accepts it, so that the query string of a page is a query of the API.
PAGE_ONLY = ("view", "columns", "from", "filter", "group", "saved")
# Exports and batches take all accounts that match. They accept the query string of a page and ignore these parameters.
PAGE_PARAMETERS = (*PAGING, *PAGE_ONLY)

ID_PATTERN = r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"

MAX_QUOTED_LENGTH = 40  # characters of a wrong value


class _AnyOf(forms.MultipleChoiceField):
    """Any of some words. The error for another word lists the words."""

    def __init__(self, *, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        offered = ", ".join(word for word, _ in choices)
        self.error_messages["invalid_choice"] = f"“%(value)s” is not one of: {offered}."

    def validate(self, value: list[str]) -> None:
        for word in value:
            if not self.valid_value(word):
                raise ValidationError(
                    self.error_messages["invalid_choice"], code="invalid_choice", params={"value": word[:40]}
                )


class _AnyLike(forms.MultipleChoiceField):
    """Codes that are checked only by a pattern, because Amazon may add new codes."""

    def __init__(self, *, pattern: str, shape: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern = re.compile(pattern)
        self.shape = shape

    def validate(self, value: list[str]) -> None:
        for code in value:
            if not self.pattern.fullmatch(code):
                raise ValidationError(f"“{code[:40]}” is not {self.shape}.")


class _AnyInCapitals(_AnyLike):
    """Codes that people may type in small letters."""

    def to_python(self, value: Any) -> list[str]:
        return [code.strip().upper() for code in super().to_python(value)]


class _Countries(_AnyInCapitals):
    def to_python(self, value: Any) -> list[str]:
        # Each country once, under the code that is stored.
        return list(dict.fromkeys(show_country(code) for code in super().to_python(value)))


class _JSONObject(forms.CharField):
    example = 'Give a JSON object such as {"team": "north"}.'

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return {}
        if len(text) > MAX_JSON_LENGTH:
            raise ValidationError(f"It may have at most {MAX_JSON_LENGTH:,} characters.")
        return self.read(text)

    def read(self, text: str) -> dict[str, Any]:
        try:
            data = read_json(text)
        except BadJSONError as error:
            raise ValidationError(f"{error} {self.example}") from error
        if not isinstance(data, dict):
            raise ValidationError(self.example)
        return data


class _Labels(_JSONObject):
    """A JSON object, or one label as people type it: `team:north`."""

    def read(self, text: str) -> dict[str, Any]:
        if text.startswith("{"):
            labels = super().read(text)
            if math.prod(len(list_values(value)) for value in labels.values()) not in range(
                1, MAX_CHOICES + 1
            ):
                raise ValidationError(
                    f"A list of values may not be empty, and all lists together may have at most {MAX_CHOICES}"
                    " combinations."
                )
            return labels
        name, colon, value = (part.strip() for part in text.partition(":"))
        if not (name and colon):
            raise ValidationError(
                f"The label {_quote(text)} needs a name and a value with a colon between, such as “team:north”."
            )
        # The value of a label may be empty.
        return {name: value}


def _quote(text: str) -> str:
    return f"“{text[:MAX_QUOTED_LENGTH]}{'…' if len(text) > MAX_QUOTED_LENGTH else ''}”"


class Words(django_filters.MultipleChoiceFilter):
    field_class = _AnyOf


class Codes(django_filters.MultipleChoiceFilter):
    field_class = _AnyLike


class CapitalCodes(Codes):
    field_class = _AnyInCapitals


class _CountryCodes(Codes):
    field_class = _Countries


class _Contains(django_filters.Filter):
    field_class = _JSONObject


class ContainsLabels(_Contains):
    field_class = _Labels


def any_of_words(offered: Iterable[str], help_text: str) -> Words:
    return Words(choices=[(word, word) for word in offered], required=False, help_text=help_text)


class _PagingForm(forms.Form):
    page_size = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_PAGE_SIZE,
        error_messages={"invalid": "A valid integer is required."},
    )
    cursor = forms.CharField(required=False, max_length=MAX_CURSOR_LENGTH)


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """What was asked of a list, read once.

    `given` has the texts of the filters that can be used, `filters` their values. `rejected` has the texts of the
    parameters that cannot be used, `errors` the reasons; `unknown` has the names of other parameters.
    """

    given: Mapping[str, list[str]] = field(default_factory=dict)
    filters: Mapping[str, Any] = field(default_factory=dict)
    ordering: str = ""
    cursor: str = ""
    page_size: int | None = None
    rejected: Mapping[str, list[str]] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> Self:
        """Return itself, or raise a ValidationError by parameter."""
        if errors := self.unknown or self.errors:
            raise build_validation_error(errors)
        return self

    def as_object(self) -> dict[str, Any]:
        """Return the filters as an object that JSON can hold and that the reader of the list reads."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in self.filters.items()
        }

    def without(self, *names: str) -> Self:
        # A cursor belongs to its filters, so the new query begins at its first page.
        return replace(
            self,
            given={name: values for name, values in self.given.items() if name not in names},
            filters={name: value for name, value in self.filters.items() if name not in names},
            cursor="",
        )


class ParameterReader:
    """Reads the parameters of one list: its filters, and those of its pages."""

    def __init__(
        self, filter_set: type[django_filters.FilterSet], orderings: Sequence[str], *, rows: QuerySet[Any]
    ) -> None:
        """`orderings` are those that the list offers; it has the first if none is asked for."""
        filters = filter_set.base_filters
        self.filters = tuple(filters)
        self.orderings = orderings
        self._multiple = {name for name, each in filters.items() if isinstance(each, Words | Codes)}
        self._objects = {name for name, each in filters.items() if isinstance(each, _Contains)}
        self._filter_form = filter_set(queryset=rows).get_form_class()
        choices = [(ordering, ordering) for ordering in orderings]
        self._paging_form = type(
            "PagingForm", (_PagingForm,), {"ordering": _AnyOf(choices=choices, required=False)}
        )

    def read(
        self,
        parameters: Mapping[str, Any],
        *,
        paging: Collection[str] = (),
        ignored: Collection[str] = (),
    ) -> ListQuery:
        """Read a query string (`QueryDict`), or an object with the same names.

        Wrong parameters are stored in the query, and its `check()` raises them. The values of an object are a string, a
        list of strings, or an object for `metadata` and labels; for other values a ValidationError is raised here.
        `paging` names the parameters of pages that the caller offers, `ignored` the other parameters that are valid.
        """
        texts = self._as_texts(parameters)
        offered = [*self.filters, *paging]
        unknown = f"There is no such parameter. The parameters are: {', '.join([*offered, *ignored])}."
        errors = {name: error for name in offered if (error := self._error_in_texts(name, texts.get(name)))}
        given = {name: values for name, values in texts.items() if name in offered and name not in errors}
        values: dict[str, Any] = {}
        for names, form_class in ((self.filters, self._filter_form), (paging, self._paging_form)):
            if own := {name: given[name] for name in names if name in given}:
                form = form_class(MultiValueDict(own))
                errors |= {name: " ".join(map(str, form.errors[name])) for name in own if name in form.errors}
                values |= form.cleaned_data
        filters = {name: values[name] for name in self.filters if name in given and name not in errors}
        return ListQuery(
            given={
                name: filters[name] if name in self._multiple else given[name]
                for name in texts
                if name in filters
            },
            filters=filters,
            ordering=next(iter(values.get("ordering") or ()), self.orderings[0]),
            cursor=values.get("cursor") or "",
            page_size=values.get("page_size"),
            rejected={name: texts[name] for name in texts if name in errors},
            errors={name: errors[name] for name in texts if name in errors},
            unknown={
                name[:MAX_SHOWN_LENGTH]: unknown
                for name in texts
                if name not in offered and name not in ignored
            },
        )

    def _error_in_texts(self, name: str, texts: list[str] | None) -> str:
        if texts is None:
            return ""
        if len(texts) > 1 and name not in self._multiple:
            return "It may be given once."
        if len(texts) > MAX_VALUES:
            return f"It may have at most {MAX_VALUES} values."
        if not texts or not all(texts):
            return (
                "It is empty. Leave it out to not filter by it."
                if name in self.filters
                else "It is empty. Leave it out."
            )
        if any("\0" in text for text in texts):
            return "It has a NUL character in it."
        return ""

    def _as_texts(self, parameters: Mapping[str, Any]) -> dict[str, list[str]]:
        if isinstance(parameters, MultiValueDict):
            return dict(parameters.lists())
        return {str(name): self._as_list(str(name), value) for name, value in parameters.items()}

    def _as_list(self, name: str, value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
        if isinstance(value, dict) and name in self._objects:
            # Without blanks, because the length of the text is limited.
            return [json.dumps(value, ensure_ascii=False, separators=(",", ":"))]
        raise ValidationError({name[:MAX_SHOWN_LENGTH]: "It must be a string or a list of strings."})


class AccountFilterSet(django_filters.FilterSet):
    """The filters of the list. Several values of one filter mean any of them."""

    status = any_of_words(Account.Status.values, "Our status of the account.")
    standing = any_of_words(
        Standing.values, "Whether the account can advertise, by what Amazon says about its billing."
    )
    suspension_before = django_filters.IsoDateTimeFilter(
        help_text="A moment before which Amazon announces a suspension, such as `2026-12-24T00:00:00Z`."
    )
    account_type = any_of_words(Account.Type.values, "What kind of advertiser it is.")
    marketplace = CapitalCodes(
        pattern=r"[A-Za-z0-9]{8,20}",
        shape="a marketplace id such as ATVPDKIKX0DER",
        help_text="Amazon's id of a marketplace in which the account has a profile. Small letters are accepted.",
    )
    country = _CountryCodes(
        pattern=r"[A-Za-z]{2}",
        shape="a country code of two letters such as DE",
        help_text="A country in which the account advertises, such as `DE`. Small letters are accepted, and `GB` means `UK`.",
    )
    connection = Codes(
        pattern=ID_PATTERN,
        shape="the id of a connection",
        help_text="Our id of a connection that sees the account, also if another one syncs it.",
    )
    team = Codes(
        pattern=ID_PATTERN,
        shape="the id of a team",
        help_text="The id of a team that has the account.",
    )
    sync_status = any_of_words(Account.SyncStatus.values, "The state of the account's sync.")
    health = any_of_words(Account.Health.values, "Whether somebody should look at the account.")
    health_reason = any_of_words(
        [*HealthReason.values, NO_REASON],
        f"The worst that is wrong with the account; `{NO_REASON}` when all is well.",
    )
    search = django_filters.CharFilter(
        min_length=1,
        max_length=MAX_SEARCH_LENGTH,
        strip=False,
        help_text="Text anywhere in the name or Amazon's id; or a whole profile id, or our id.",
    )
    metadata = _Contains(
        help_text=f"A JSON object that `metadata` contains, of at most {MAX_JSON_LENGTH:,} characters."
    )
    labels = ContainsLabels(
        help_text=f"A JSON object that `labels` contains, of at most {MAX_JSON_LENGTH:,} characters;"
        " a list of values means any of them, and `null` that the label is absent. Or one label as `team:north`."
    )
    connection_labels = ContainsLabels(
        help_text="A JSON object that `labels` of the account's connection contains;"
        " a list of values means any of them, and `null` that the label is absent. Or one label as `team:north`."
    )


_ACCOUNTS = ParameterReader(AccountFilterSet, ORDERINGS, rows=Account.objects.none())
FILTERS = _ACCOUNTS.filters
read_account_query = _ACCOUNTS.read
