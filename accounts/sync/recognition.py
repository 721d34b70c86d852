"""Recognising a login that Amazon does not name by the accounts that it sees."""

import asyncio
from contextlib import aclosing

from accounts.models import AccountAccess, Profile
from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, ForbiddenError, PostponedError
from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.threads import in_thread
from tokens.models import Connection


async def sees_an_account(connection: Connection, grant: Grant, amazon: AmazonClient) -> bool:
    """Return whether the grant, which is not stored yet, sees any account that the connection sees.

    Raises AmazonError or PostponedError if no list shows one, and a list could not be read now.
    """
    ids, profile_ids = await in_thread(_read_known)(connection)
    if not ids and not profile_ids:
        return False

    async def token(rejected: str | None = None) -> str:
        return grant.access_token

    api = amazon.with_token(subject=str(connection.pk), client_id=connection.client_id, token=token)
    questions = [_lists_account(api, connection.regions[0], ids)]
    questions += [_lists_profile(api, region, profile_ids) for region in connection.regions]
    return await _find_any([asyncio.ensure_future(question) for question in questions])


async def _find_any(answers: list[asyncio.Future[bool]]) -> bool:
    failure = None
    try:
        for answer in asyncio.as_completed(answers):
            try:
                if await answer:
                    return True
            except ForbiddenError:
                # A list that the login may not read shows it nothing.
                continue
            except (AmazonError, PostponedError) as error:
                failure = error
    finally:
        for answer_left in answers:
            answer_left.cancel()
        await asyncio.gather(*answers, return_exceptions=True)
    if failure is not None:
        raise failure
    return False


def _read_known(connection: Connection) -> tuple[set[str], set[str]]:
    accesses = AccountAccess.objects.filter(connection=connection)
    profiles = Profile.objects.filter(account__accesses__connection=connection)
    return (
        set(accesses.values_list("account__amazon_account_id", flat=True)),
        set(profiles.values_list("profile_id", flat=True)),
    )


async def _lists_account(api: AdsApi, region: str, known: set[str]) -> bool:
    async with aclosing(api.ads_accounts(region)) as pages:
        async for page in pages:
            if any(item.ads_account_id in known for item in page.items):
                return True
    return False


async def _lists_profile(api: AdsApi, region: str, known: set[str]) -> bool:
    page = await api.profiles(region, "view")
    return any(item.profile_id in known for item in page.items)
