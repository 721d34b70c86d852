"""Staging profile-only accounts: the accounts of profiles that belong to no ads account.

Amazon's list of ads accounts can move while it is read, and then misses an account that is there. Its profiles show
that it is there, until the list has missed it several times in a row.
"""

from typing import Final

from accounts.models import Account
from accounts.standing.listed_status import STATUSES
from accounts.sync.rows import encode_json
from accounts.sync.run_context import RunContext
from accounts.sync.staging import count_staged, stage_shown
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.postgresql.statements import load

STAGE: Final = load(__file__, "stage_profile_only_accounts")
FIND_WITHOUT_ENTITY: Final = load(__file__, "find_profiles_without_entity")
HOLD: Final = load(__file__, "hold_accounts_by_profiles")
CONTINUE: Final = load(__file__, "continue_as_profile_accounts")

NO_ENTITY: Final = "It does not say whose profile it is: its `accountInfo.id` is empty."


def stage_profile_accounts(context: RunContext) -> None:
    listings = context.coverage.listings
    parameters = context.parameters()
    without_entity = []
    with context.open_staging() as cursor:
        cursor.execute(STAGE, parameters)
        context.held_accounts = count_staged(cursor, listings)
        if context.has_profiles_without_entity:
            cursor.execute(FIND_WITHOUT_ENTITY, parameters)
            without_entity = cursor.fetchall()
    # Without an entity id there is no key to store an account under.
    for number, profile_id, scope, account_id in without_entity:
        listings[number].reject([Rejected(profile_id, NO_ENTITY)])
        if account_id is not None:
            stage_shown(context, listings[number], {account_id: [scope]})
    if context.held_accounts:
        _hold_accounts(context)
    if any(listing.staged for listing in context.coverage.listings_of(Account.Source.PROFILES)):
        with context.open_accounts() as cursor:
            cursor.execute(CONTINUE, context.parameters())


def _hold_accounts(context: RunContext) -> None:
    with context.open_accounts() as cursor:
        cursor.execute(HOLD, context.parameters(statuses=encode_json(STATUSES)))
        (newly_held,) = cursor.fetchone()
    context.coverage.ads_accounts.note_held(context.held_accounts, is_new=newly_held > 0)
