"""What the Ads API shows to one login in all, for tests that compare it with what the product stored."""

from typing import Any

from amazon_accounts.sandbox.ads_api.ads_accounts import write_ads_account
from amazon_accounts.sandbox.ads_api.billing import describe_billing
from amazon_accounts.sandbox.ads_api.dsp_advertisers import (
    MAX_PAGE_SIZE,
    MAX_START_INDEX,
    write_dsp_advertiser,
)
from amazon_accounts.sandbox.ads_api.manager_accounts import write_manager_account
from amazon_accounts.sandbox.ads_api.profiles import MAX_PROFILES, write_profile
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.world import REGIONS, Login, World


def describe_everything(login: Login, world: World, choices: Choices, now: float) -> dict[str, Any]:
    """The records of every list, as Amazon would show them if each list were read to its end."""
    found = [world.profiles[each] for each in login.profiles]
    shown = [each for each in found if each.has_campaigns]
    agencies = [each for each in found if each.type == "agency" and each.sub_type != "AMAZON_ATTRIBUTION"]
    return {
        "login": login.login_id,
        "ads_accounts": []
        if login.barred
        else [write_ads_account(world.ads_accounts[each], choices, now) for each in login.ads_accounts],
        "profiles": {
            region: [
                write_profile(each, choices) | {"accessLevel": login.profiles[each.profile_id]}
                for each in shown
                if each.region == region
            ][:MAX_PROFILES]
            for region in REGIONS
        },
        "billing": {
            region: [describe_billing(each, login, world) for each in shown if each.region == region]
            for region in REGIONS
        },
        "manager_accounts": {
            region: [
                write_manager_account(world.manager_accounts[each], region, choices)
                for each in login.manager_accounts
            ]
            for region in REGIONS
        },
        "dsp_advertisers": {
            str(agency.profile_id): [
                write_dsp_advertiser(world.dsp_advertisers[each])
                for each in world.advertisers_of.get(agency.profile_id, [])[: MAX_START_INDEX + MAX_PAGE_SIZE]
            ]
            for agency in agencies
        },
    }
