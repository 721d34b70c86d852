"""`/managerAccounts`: manager accounts and the accounts linked to them."""

from typing import Any

from amazon_accounts.sandbox.ads_api.context import Context
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.world import Link, ManagerAccount

#: Of each manager account Amazon shows no more links than this, and has no second page.
MAX_LINKS = 50


def list_manager_accounts(context: Context) -> Answer:
    managers = [
        write_manager_account(
            context.world.manager_accounts[each], context.call.region or "", context.choices
        )
        for each in context.login.manager_accounts
    ]
    return Answer(200, {"managerAccounts": managers})


def write_manager_account(manager: ManagerAccount, region: str, choices: Choices) -> dict[str, Any]:
    links = [each for each in manager.links if each.region == region][:MAX_LINKS]
    return {
        "managerAccountId": manager.manager_account_id,
        "managerAccountName": manager.name,
        "linkedAccounts": [_write_linked_account(link, choices) for link in links],
    } | manager.extra


def _write_linked_account(link: Link, choices: Choices) -> dict[str, Any]:
    record: dict[str, Any] = {
        "accountId": link.account_id,
        "accountName": link.account_name,
        "accountType": link.account_type,
        "marketplaceId": link.marketplace_id,
    }
    profile_id = None if link.profile_id is None else str(link.profile_id)
    _set_or_none(record, "profileId", profile_id, choices.no_profile)
    _set_or_none(record, "dspAdvertiserId", link.dsp_advertiser_id, choices.no_dsp_advertiser)
    return record


def _set_or_none(record: dict[str, Any], name: str, value: str | None, if_none: str) -> None:
    if value is not None:
        record[name] = value
    elif if_none != "absent":
        record[name] = "" if if_none == "empty" else None
