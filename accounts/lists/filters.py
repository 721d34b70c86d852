"""The one filter of accounts, behind the API, exports, batch operations, the command and the dashboard's list."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.db.models.lookups import Contains
from django.utils.datastructures import MultiValueDict

from accounts.errors import refusal
from accounts.lists.any_of import id_is_one_of
from accounts.models import Account, AccountSearch, Profile
from accounts.models.account import AccountQuerySet
from accounts.models.search import Trigrams
from accounts.strict_json import BadJSONError, read_json
from tokens.models import BROKEN, FAILING, Connection, late_before

LONGEST_SEARCH = 200  # characters
LONGEST_JSON = 4_000  # characters
MOST_VALUES = 100  # of one parameter
SAMPLE = 250  # pages of the table, of some eight rows
COMMON = 0.01  # of the rows

LIVE = [Account.Status.ACTIVE, Account.Status.SUSPENDED, Account.Status.PENDING]


class NotFoundError(ValidationError):
    """A filter names something that does not exist, or that this person may not see: the same thing to them."""


class _AnyOf(forms.MultipleChoiceField):
    """Any of some words; a wrong one is answered with the right ones."""

    def __init__(self, *, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        words = ", ".join(word for word, _ in choices)
        self.error_messages["invalid_choice"] = f"“%(value)s” is not one of: {words}."

    def validate(self, value: list[str]) -> None:
        for word in value:
            if not self.valid_value(word):
                raise ValidationError(
                    self.error_messages["invalid_choice"], code="invalid_choice", params={"value": word[:40]}
                )


class _AnyLike(forms.MultipleChoiceField):
    """Any of some codes of one shape: Amazon may add new ones, so that the list of them is open."""

    def __init__(self, *, pattern: str, shape: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern = re.compile(pattern)
        self.shape = shape

    def validate(self, value: list[str]) -> None:
        for code in value:
            if not self.pattern.fullmatch(code):
                raise ValidationError(f"“{code[:40]}” is not {self.shape}.")


class _JSONObject(forms.CharField):
    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return {}
        if len(text) > LONGEST_JSON:
            raise ValidationError(f"It may have at most {LONGEST_JSON:,} characters.")
        try:
            data = read_json(text)
        except BadJSONError as error:
            raise ValidationError(f'{error} Give a JSON object such as {{"team": "north"}}.') from error
        if not isinstance(data, dict):
            raise ValidationError('Give a JSON object such as {"team": "north"}.')
        return data


class _Words(django_filters.MultipleChoiceFilter):
    field_class = _AnyOf


class _Codes(django_filters.MultipleChoiceFilter):
    field_class = _AnyLike


class _Contains(django_filters.Filter):
    field_class = _JSONObject


def _words(choices: type[Any], help_text: str) -> _Words:
    return _Words(choices=[(word, word) for word in choices.values], required=False, help_text=help_text)


class AccountFilterSet(django_filters.FilterSet):
    """What may be asked of a list of accounts. Several values of one parameter mean any of them."""

    status = _words(Account.Status, "Our status of the account.")
    account_type = _words(Account.Type, "What kind of advertiser it is.")
    marketplace = _Codes(
        pattern=r"[A-Z0-9]{8,20}", shape="a marketplace id such as ATVPDKIKX0DER",
        help_text="Amazon's id of a marketplace in which the account has a profile.",
    )  # fmt: skip
    country = _Codes(
        pattern=r"[A-Z]{2}", shape="a country code of two capital letters such as DE",
        help_text="A country in which the account advertises.",
    )  # fmt: skip
    connection = _Codes(
        pattern=r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", shape="the id of a connection",
        help_text="Our id of the connection that the account is synced by.",
    )  # fmt: skip
    sync_status = _words(Account.SyncStatus, "How its synchronisation stands.")
    health = _words(Account.Health, "Whether somebody should look at it.")
    search = django_filters.CharFilter(
        min_length=1, max_length=LONGEST_SEARCH, strip=False,
        help_text="Text anywhere in the name or Amazon's id; or a whole profile id, or our id.",
    )  # fmt: skip
    metadata = _Contains(
        help_text=f"A JSON object that `metadata` contains, of at most {LONGEST_JSON:,} characters."
    )
    labels = _Contains(
        help_text=f"A JSON object that `labels` contains, of at most {LONGEST_JSON:,} characters."
    )


PARAMETERS = tuple(AccountFilterSet.base_filters)
_SEVERAL = {
    name for name, filter_ in AccountFilterSet.base_filters.items() if isinstance(filter_, _Words | _Codes)
}


def filter_accounts(
    user: User | AnonymousUser | AbstractBaseUser | None,
    parameters: Mapping[str, Any],
    *,
    besides: Collection[str] = (),
) -> AccountQuerySet:
    """Return the accounts that this person may see and that the parameters choose.

    `parameters` is a query string (`QueryDict`) or an object with the same names, whose values are a string, a list
    of strings, or an object for `metadata` and `labels`. `besides` names what else the caller takes from it
    (`ordering`, `cursor`). `user` None is a command: it may see all.

    Strict: an unknown name, an unknown or empty value is a ValidationError by parameter that names the right ones;
    a connection that is not theirs is a NotFoundError. Costs at most two queries, before the returned one.
    """
    chosen = _read(parameters, besides)
    accounts = Account.objects.all() if user is None else Account.objects.visible_to(user)
    for name, column in {"status": "status", "account_type": "account_type"}.items():
        if chosen[name]:
            accounts = accounts.filter(**{f"{column}__in": chosen[name]})
    if chosen["country"]:
        accounts = accounts.filter(countries__overlap=chosen["country"])
    if chosen["marketplace"]:
        profiles = Profile.objects.filter(account=OuterRef("pk"), marketplace_id__in=chosen["marketplace"])
        accounts = accounts.filter(Exists(profiles))
    if chosen["connection"] or chosen["sync_status"] or chosen["health"]:
        accounts = accounts.filter(_by_connection(user, chosen))
    return _by_content(accounts, chosen)


# --- Reading the parameters


def _read(parameters: Mapping[str, Any], besides: Collection[str]) -> dict[str, Any]:
    lists = _as_lists(parameters)
    for name in besides:
        lists.pop(name, None)
    offered = [*PARAMETERS, *besides]
    unknown = f"There is no such parameter. Those there are: {', '.join(offered)}."
    errors = {name[:60]: unknown for name in lists if name not in PARAMETERS}
    for name, values in lists.items():
        if name in PARAMETERS and (complaint := _complaint(name, values)):
            errors[name] = complaint
    if errors:
        raise refusal(errors)
    if not any(name in lists for name in PARAMETERS):
        return dict.fromkeys(PARAMETERS)
    form = AccountFilterSet(MultiValueDict(lists), queryset=Account.objects.none()).form
    if not form.is_valid():
        raise ValidationError(form.errors.as_data())
    return dict(form.cleaned_data)


def _complaint(name: str, values: list[str]) -> str:
    if len(values) > 1 and name not in _SEVERAL:
        return "It may be given once."
    if len(values) > MOST_VALUES:
        return f"It may have at most {MOST_VALUES} values."
    if not values or not all(values):
        return "It is empty. Leave it out to not filter by it."
    if any("\0" in value for value in values):
        return "It has a NUL character in it."
    return ""


def _as_lists(parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    if isinstance(parameters, MultiValueDict):
        return dict(parameters.lists())
    return {str(name): _as_list(str(name), value) for name, value in parameters.items()}


def _as_list(name: str, value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    if isinstance(value, dict) and name in {"metadata", "labels"}:
        # As short as it can be written: its length is limited.
        return [json.dumps(value, ensure_ascii=False, separators=(",", ":"))]
    raise ValidationError({name[:60]: "It must be a string or a list of strings."})


# --- Conditions that depend on connections


def _by_connection(user: Any, chosen: dict[str, Any]) -> Q:
    """Return the condition of `connection`, `sync_status` and `health`, from one look at the connections.

    Their ids stand in the condition as they are, not as a sub-select: so PostgreSQL knows how many accounts each
    has and takes the right index, for one broken login of a thousand as for all.
    """
    wanted = [UUID(value) for value in chosen["connection"]]
    standing = _Standing(wanted)
    if set(wanted) - standing.visible_to(user):
        raise NotFoundError({"connection": "There is no such connection."})
    condition = Q(connection__in=wanted) if wanted else Q()
    if chosen["sync_status"]:
        condition &= _any(map(standing.sync_status, chosen["sync_status"]))
    if chosen["health"]:
        condition &= _any(map(standing.health, chosen["health"]))
    return condition


def _any(conditions: Iterable[Q]) -> Q:
    whole = Q(pk__in=[])
    for condition in conditions:
        whole |= condition
    return whole


class _Standing:
    """Which connections are not well, so that accounts can be chosen by what follows from it.

    The conditions say in SQL what `Account.sync_status` and `Account.health` say of one row.
    """

    def __init__(self, wanted: list[UUID]) -> None:
        late = late_before()
        unwell = FAILING | Q(last_synced_at__isnull=True) | Q(last_synced_at__lt=late) | BROKEN
        rows = Connection.objects.filter(Q(pk__in=wanted) if wanted else unwell)
        self.rows = list(rows.values_list("pk", "owner_id", "state", "sync_failures", "last_synced_at"))
        self.broken = [
            pk for pk, _, state, _, _ in self.rows if state == Connection.State.REAUTHORIZATION_REQUIRED
        ]
        self.failing = [pk for pk, _, _, failures, _ in self.rows if failures]
        self.never = [pk for pk, _, _, failures, synced in self.rows if not failures and synced is None]
        self.stale = [
            pk for pk, _, _, failures, synced in self.rows if not failures and synced and synced < late
        ]

    def visible_to(self, user: Any) -> set[UUID]:
        sees_all = user is None or any(
            user.has_perm(name) for name in ("accounts.view_all_accounts", "tokens.view_all_connections")
        )
        return {pk for pk, owner_id, *_ in self.rows if sees_all or owner_id == user.pk}

    def sync_status(self, word: str) -> Q:
        synced = Q(status__in=LIVE, sync_enabled=True)
        match word:
            case Account.SyncStatus.OFF:
                return Q(status=Account.Status.INACTIVE) | Q(sync_enabled=False)
            case Account.SyncStatus.FAILING:
                return synced & Q(connection__in=self.failing)
            case Account.SyncStatus.NEVER:
                return synced & Q(connection__in=self.never)
            case Account.SyncStatus.STALE:
                return synced & Q(connection__in=self.stale)
            case _:
                return synced & ~Q(connection__in=[*self.failing, *self.never, *self.stale])

    def health(self, word: str) -> Q:
        failing = Q(sync_enabled=True, connection__in=self.failing)
        late = Q(sync_enabled=True, connection__in=[*self.never, *self.stale])
        broken = Q(connection__in=self.broken)
        match word:
            case Account.Health.OFF:
                return Q(status=Account.Status.INACTIVE)
            case Account.Health.PROBLEM:
                return Q(status=Account.Status.SUSPENDED) | Q(status__in=LIVE) & (failing | broken)
            case Account.Health.ATTENTION:
                pending = Q(status=Account.Status.PENDING)
                return (pending | Q(status=Account.Status.ACTIVE) & late) & ~failing & ~broken
            case _:
                return Q(status=Account.Status.ACTIVE) & ~failing & ~late & ~broken


# --- Conditions on what is inside a row


@dataclass(frozen=True)
class _Content:
    """A condition whose number of rows PostgreSQL cannot guess."""

    #: To count it in a sample, with one parameter.
    sql: str
    parameter: str
    condition: Q
    #: The same in the form that an index answers, whatever PostgreSQL guesses.
    indexed: Q


def _by_content(accounts: AccountQuerySet, chosen: dict[str, Any]) -> AccountQuerySet:
    """Apply `search`, `metadata` and `labels`, each by its index if few rows match, else while walking the list.

    PostgreSQL guesses that few rows contain a text or an object. For one that many contain it would collect and
    sort them all for one page.
    """
    contents = [_containing(name, chosen[name]) for name in ("metadata", "labels") if chosen[name]]
    if chosen["search"]:
        contents.append(_having_text(chosen["search"]))
    if not contents:
        return accounts
    for content, is_common in zip(contents, _are_common(contents), strict=True):
        accounts = accounts.filter(_while_walking(content.condition) if is_common else content.indexed)
    return accounts


def _are_common(contents: list[_Content]) -> list[bool]:
    """Say which conditions at least one of a hundred accounts meets, from a sample of the table."""
    counts = ", ".join(f"count(*) FILTER (WHERE {content.sql})" for content in contents)
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), {counts} FROM user_accounts TABLESAMPLE SYSTEM (least(100,
                100.0 * {SAMPLE} * 8192 / greatest(1, pg_relation_size('user_accounts')))) REPEATABLE (1)
            """,  # noqa: S608 (our own words only)
            [content.parameter for content in contents],
        )
        sampled, *counted = cursor.fetchone()
    return [count > sampled * COMMON for count in counted]


def _while_walking(condition: Q) -> Case:
    """Put the condition so that no index answers it and PostgreSQL takes it for met by half of the rows."""
    return Case(
        When(condition, then=Value(value=True)), default=Value(value=False), output_field=BooleanField()
    )


def _containing(name: str, value: dict[str, Any]) -> _Content:
    condition = Q(**{f"{name}__contains": value})
    having = Account.objects.filter(condition).order_by().values("pk")
    return _Content(f"{name} @> %s::jsonb", json.dumps(value), condition, Q(id_is_one_of(having)))


def _having_text(term: str) -> _Content:
    text = Lower(Value(term))
    profiles = Profile.objects.filter(profile_id=term)
    in_row = Q(Contains(Lower(F("name")), text)) | Q(Contains(Lower(F("amazon_account_id")), text))
    in_row |= Q(Exists(profiles.filter(account=OuterRef("pk"))))
    found = _found_by_pieces(term).union(profiles.values("account"), all=True)
    if own_id := _own_id(term):
        in_row |= Q(pk=own_id)
        found = found.union(Account.objects.filter(pk=own_id).values("pk"), all=True)
    escaped = re.sub(r"([%_\\])", r"\\\1", term)
    return _Content(
        "lower(name || chr(10) || amazon_account_id) LIKE lower(%s)",
        f"%{escaped}%",
        in_row,
        Q(id_is_one_of(found)),
    )


def _found_by_pieces(term: str) -> QuerySet[AccountSearch, Any]:
    """Return the accounts with this text: by the index of pieces, and those that are not in it yet."""
    having = (
        AccountSearch.objects.filter(Contains(F("text"), Lower(Value(term)))).order_by().values("account")
    )
    if len(term) < 3:
        return having
    by_pieces = having.alias(pieces=Trigrams("text")).filter(
        is_indexed=True, pieces__contains=Trigrams(Lower(Value(term)))
    )
    return by_pieces.union(having.filter(is_indexed=False), all=True)


def _own_id(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
