"""`/dsp/advertisers`: the advertisers of the agency that the Scope header names."""

from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.ads_api.context import NUMBER, BadQueryError, Context, read_whole_number
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.world import DspAdvertiser, Profile

MAX_PAGE_SIZE = 100
MAX_START_INDEX = 29_900


def list_dsp_advertisers(context: Context) -> Answer:
    agency = _find_agency(context)
    if isinstance(agency, Answer):
        return agency
    try:
        start = read_whole_number(context.call.query, "startIndex", 0, least=0, most=MAX_START_INDEX)
        count = read_whole_number(context.call.query, "count", MAX_PAGE_SIZE, least=1, most=MAX_PAGE_SIZE)
    except BadQueryError as error:
        detail = {"errorType": "INVALID_PARAMETER", "field": error.name, "message": error.rule}
        return answers.dsp(context.choices.bad_dsp_parameter, "Bad Request", context.call.rid, detail)
    ids = context.world.advertisers_of.get(agency.profile_id, [])
    if "advertiserIdFilter" in context.call.query:
        wanted = set(context.call.query["advertiserIdFilter"].split(","))
        ids = [each for each in ids if each in wanted]
    found = [write_dsp_advertiser(context.world.dsp_advertisers[each]) for each in ids[start : start + count]]
    return Answer(200, {"totalResults": len(ids), "response": found})


def get_dsp_advertiser(context: Context) -> Answer:
    agency = _find_agency(context)
    if isinstance(agency, Answer):
        return agency
    advertiser = context.world.dsp_advertisers.get(context.call.path.removeprefix("/dsp/advertisers/"))
    if advertiser is None or advertiser.agency_profile_id != agency.profile_id:
        return answers.dsp(404, "Not Found", context.call.rid)
    return Answer(200, write_dsp_advertiser(advertiser))


def _find_agency(context: Context) -> Profile | Answer:
    scope = context.call.headers.get("amazon-advertising-api-scope", "").strip()
    if not scope:
        return answers.classic(401, "401", "Scope header is missing", context.call.rid)
    found = context.world.profiles.get(int(scope)) if NUMBER.fullmatch(scope) else None
    if found is None or found.region != context.call.region:
        return answers.classic(401, "401", "No matching advertiser found for scope", context.call.rid)
    if found.profile_id not in context.login.profiles:
        return answers.classic(401, "401", f"Not authorized to access scope {scope}", context.call.rid)
    if found.type != "agency" or found.sub_type == "AMAZON_ATTRIBUTION":
        return answers.dsp(403, "Forbidden", context.call.rid)
    return found


def write_dsp_advertiser(advertiser: DspAdvertiser) -> dict[str, Any]:
    return {
        "advertiserId": advertiser.advertiser_id,
        "name": advertiser.name,
        "currency": advertiser.currency,
        "url": advertiser.url,
        "country": advertiser.country,
        "timezone": advertiser.timezone,
    } | advertiser.extra
