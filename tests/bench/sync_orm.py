"""Storing the same rows by the ORM, for comparison: `bulk_create`, and `update_or_create` for a sample."""

from typing import Any

import msgspec
from django.utils import timezone

from accounts.models import Account, AccountAccess, Profile
from accounts.sync.rows import StagedAccount, StagedProfile
from accounts.sync.staging import PROFILE_COLUMNS
from tests.bench.sync_storing import Rows
from tokens.models import Connection

SAMPLE = 300


def _account_defaults(connection: Connection, account: StagedAccount) -> dict[str, Any]:
    return {
        "connection": connection,
        "source": account.source,
        "name": account.name,
        "account_type": Account.Type.SELLER,
        "status": account.status,
        "amazon_status": account.amazon_status,
        "countries": account.countries,
        "errors": {},
        "metadata": msgspec.json.decode(account.metadata),
        "updated_at": timezone.now(),
    }


def _profile_defaults(profile: StagedProfile, account: StagedAccount) -> dict[str, Any]:
    names = PROFILE_COLUMNS[2:-1]
    return {name: getattr(profile, name) for name in names} | {"ads_entity_id": account.profile_entities[0]}


def store_by_update_or_create(connection: Connection, rows: Rows) -> None:
    for staged, profile in zip(rows.accounts[:SAMPLE], rows.profiles[:SAMPLE], strict=True):
        account, _ = Account.objects.update_or_create(
            team=connection.team,
            user_id=connection.owner_id,
            amazon_account_id=staged.amazon_account_id,
            defaults=_account_defaults(connection, staged),
        )
        AccountAccess.objects.update_or_create(
            account=account, connection=connection, defaults={"seen_in": staged.seen_in}
        )
        Profile.objects.update_or_create(
            account=account, profile_id=profile.profile_id, defaults=_profile_defaults(profile, staged)
        )


def store_by_bulk_create(connection: Connection, rows: Rows) -> None:
    accounts = [
        Account(
            team=connection.team,
            user_id=connection.owner_id,
            amazon_account_id=staged.amazon_account_id,
            **_account_defaults(connection, staged),
        )
        for staged in rows.accounts
    ]
    fields = list(_account_defaults(connection, rows.accounts[0]))
    Account.objects.bulk_create(
        accounts,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["team", "amazon_account_id"],
        update_fields=fields,
    )
    ids = dict(Account.objects.filter(team=connection.team).values_list("amazon_account_id", "pk"))
    AccountAccess.objects.bulk_create(
        [
            AccountAccess(
                account_id=ids[staged.amazon_account_id], connection=connection, seen_in=staged.seen_in
            )
            for staged in rows.accounts
        ],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["account", "connection"],
        update_fields=["seen_in"],
    )
    profiles = [
        Profile(
            account_id=ids[staged.amazon_account_id],
            profile_id=profile.profile_id,
            **_profile_defaults(profile, staged),
        )
        for staged, profile in zip(rows.accounts, rows.profiles, strict=True)
    ]
    Profile.objects.bulk_create(
        profiles,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["account", "profile_id"],
        update_fields=list(_profile_defaults(rows.profiles[0], rows.accounts[0])),
    )
