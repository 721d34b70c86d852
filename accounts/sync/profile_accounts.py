"""Staging profile-only accounts: the accounts of profiles that no ads account names."""

from typing import Final

from accounts.sync.run_context import RunContext
from accounts.sync.staging import count_staged, stage_shown
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.postgresql.statements import load

STAGE: Final = load(__file__, "stage_profile_only_accounts")
FIND_WITHOUT_ENTITY: Final = load(__file__, "find_profiles_without_entity")

NO_ENTITY: Final = "It does not say whose profile it is: its `accountInfo.id` is empty."


def stage_profile_accounts(context: RunContext) -> None:
    listings = context.coverage.listings
    # An incomplete list of ads accounts may miss the account that names a profile, so a profile becomes an
    # account of its own only when the list is complete.
    parameters = context.parameters(list_is_complete=context.coverage.ads_accounts.proves_absence)
    without_entity = []
    with context.open_staging() as cursor:
        cursor.execute(STAGE, parameters)
        count_staged(cursor, listings)
        if context.has_profiles_without_entity:
            cursor.execute(FIND_WITHOUT_ENTITY, parameters)
            without_entity = cursor.fetchall()
    # Without an entity id there is no key to store an account under.
    for number, profile_id, scope, account_id in without_entity:
        listings[number].reject([Rejected(profile_id, NO_ENTITY)])
        if account_id is not None:
            stage_shown(context, listings[number], {account_id: [scope]})
