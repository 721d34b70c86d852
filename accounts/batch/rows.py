"""What a batch may be of: accounts or connections, with what each accepts."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from accounts.batch.operations import Operation, Subject
from accounts.errors import build_validation_error
from accounts.lists.any_of import id_is_one_of
from accounts.lists.connection_filters import filter_connections
from accounts.lists.connection_parameters import read_connection_query
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import ListQuery, read_account_query
from accounts.models import Account
from accounts.update import check_changes as check_account_changes
from tokens.connect.update import CHANGEABLE, check_changes
from tokens.models import Connection, Team
from tokens.permissions import System

ACCOUNT_OPTIONS: Final = ("labels", "sync_enabled")
# A label is the name of one connection, and its login has consented on a day of its own.
CONNECTION_OPTIONS: Final = tuple(
    name for name in CHANGEABLE if name not in {"label", "paused", "consented_on"}
)


class Rows(ABC):
    subject: ClassVar[Subject]
    #: The field of a request that has their ids.
    ids: ClassVar[str]
    #: One of them, in a sentence.
    one: ClassVar[str]
    #: The table and columns of their items, and the same columns of what was chosen.
    into: ClassVar[str]
    columns: ClassVar[str]
    update_options: ClassVar[tuple[str, ...]]

    @property
    def not_permitted(self) -> str:
        return f"You may not do this in the team of the {self.one.split()[-1]}."

    @abstractmethod
    def read_query(self, parameters: Mapping[str, Any], *, ignored: Collection[str] = ()) -> ListQuery:
        """Read the parameters of their list, as a query string or an object has them."""

    @abstractmethod
    def find(self, user: User | System, ids: list[UUID]) -> QuerySet[Any]:
        """Return those with these ids that the person sees."""

    @abstractmethod
    def filter(self, user: User | System, filters: ListQuery | Mapping[str, Any]) -> QuerySet[Any]:
        """Return those that the person sees and the filters choose."""

    def find_missing_options(self, operation: str, options: Mapping[str, Any]) -> str:
        """Return what is missing; "" if nothing is."""
        if operation == Operation.UPDATE and not options:
            return f"An update needs any of: {', '.join(self.update_options)}."
        return ""

    @abstractmethod
    def check_options(self, user: User | System, operation: str, options: Mapping[str, Any]) -> None:
        """Raise ValidationError by field for options that the operation does not take."""


class _Accounts(Rows):
    subject = Subject.ACCOUNTS
    ids = "account_ids"
    one = "an account"
    into = "accounts_batchitem (batch_id, account_id, state, message)"
    columns = "id"
    update_options = ACCOUNT_OPTIONS

    def read_query(self, parameters: Mapping[str, Any], *, ignored: Collection[str] = ()) -> ListQuery:
        return read_account_query(parameters, ignored=ignored)

    def find(self, user: User | System, ids: list[UUID]) -> QuerySet[Any]:
        return Account.objects.visible_to(user).filter(id_is_one_of(ids))

    def filter(self, user: User | System, filters: ListQuery | Mapping[str, Any]) -> QuerySet[Any]:
        return filter_accounts(user, filters.check() if isinstance(filters, ListQuery) else filters)

    def check_options(self, _user: User | System, operation: str, options: Mapping[str, Any]) -> None:
        if operation == Operation.UPDATE:
            check_account_changes(options, self.update_options, within="options")
            _refuse_no_labels(options)
        elif options:
            raise ValidationError({"options": f"“{operation}” takes no options."})


class _Connections(Rows):
    subject = Subject.CONNECTIONS
    ids = "connection_ids"
    one = "a connection"
    into = "accounts_connectionbatchitem (batch_id, connection_id, team_id, state, message)"
    columns = "id, team_id"
    update_options = CONNECTION_OPTIONS

    def read_query(self, parameters: Mapping[str, Any], *, ignored: Collection[str] = ()) -> ListQuery:
        return read_connection_query(parameters, ignored=ignored)

    def find(self, user: User | System, ids: list[UUID]) -> QuerySet[Any]:
        return Connection.objects.visible_to(user).filter(id_is_one_of(ids))

    def filter(self, user: User | System, filters: ListQuery | Mapping[str, Any]) -> QuerySet[Any]:
        return filter_connections(user, filters.check() if isinstance(filters, ListQuery) else filters)

    def find_missing_options(self, operation: str, options: Mapping[str, Any]) -> str:
        if operation == Operation.MOVE and set(options) != {"team"}:
            return "A move needs `team`, the id of the team that gets them, and nothing else."
        return super().find_missing_options(operation, options)

    def check_options(self, user: User | System, operation: str, options: Mapping[str, Any]) -> None:
        if operation == Operation.MOVE:
            _check_target(user, options["team"])
        elif operation == Operation.UPDATE:
            _check_connection_changes(options)
            _refuse_no_labels(options)
        elif options:
            raise ValidationError({"options": f"“{operation}” takes no options."})
        if operation == Operation.SEND_RENEWAL_LINKS and not settings.EMAIL_IS_SET_UP:
            raise ValidationError(
                {
                    "operation": "There is no mail server. Set EMAIL_URL, or download the links on the page of renewals."
                }
            )


def _check_connection_changes(options: Mapping[str, Any]) -> None:
    if unknown := [name for name in options if name not in CONNECTION_OPTIONS]:
        hint = f"There is no such field. The fields are: {', '.join(CONNECTION_OPTIONS)}."
        raise build_validation_error({f"options.{name[:60]}": hint for name in unknown})
    try:
        check_changes(dict(options))
    except ValidationError as error:
        raise ValidationError(
            {f"options.{name}": texts for name, texts in error.message_dict.items()}
        ) from error


def _refuse_no_labels(options: Mapping[str, Any]) -> None:
    if options.get("labels") == {}:
        raise ValidationError({"options.labels": "It must name at least one label."})


def _check_target(user: User | System, team: Any) -> None:
    try:
        is_known = Team.objects.allowing(user, "tokens.connect_amazon").filter(pk=UUID(team)).exists()
    except (ValueError, TypeError, AttributeError):
        is_known = False
    if not is_known:
        raise ValidationError(
            {"options.team": "It must be the id of a team in which you may connect logins."}
        )


ACCOUNTS: Final = _Accounts()
CONNECTIONS: Final = _Connections()
ROWS: Final[Mapping[str, Rows]] = {Subject.ACCOUNTS: ACCOUNTS, Subject.CONNECTIONS: CONNECTIONS}
