"""Accounts as the API and the export of JSON Lines show them."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

from accounts.models import Account
from amazon_accounts.postgresql.statements import load
from tokens.models import time_until_late


class _AccountJSON(Func):
    """The JSON of the account in the row, for the time until a connection is late."""

    output_field = CharField()
    arity = 1

    def as_sql(  # type: ignore[override] # the stub's parameters are narrower than Django's
        self, compiler: SQLCompiler, _connection: BaseDatabaseWrapper, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        [late] = self.get_source_expressions()
        time_until_late, parameters = compiler.compile(late)
        table = compiler.quote_name_unless_alias(compiler.query.get_initial_alias())
        statement = load(__file__, "represent_account") % {
            "account": table,
            "time_until_late": time_until_late,
        }
        return f"({statement})", tuple(parameters)


def represent_accounts(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Load the JSON of each account, which `get_json` returns.

    PostgreSQL makes the JSON. Models with all their fields, and serializers, would take ten times as long: load only
    what else is needed.
    """
    return accounts.annotate(json=_AccountJSON(Value(time_until_late())))


def get_json(account: Account) -> str:
    text: str = vars(account)["json"]
    return text
