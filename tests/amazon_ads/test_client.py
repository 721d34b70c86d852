"""What a login can see, asked of the sandbox through the real client."""

import pytest

from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import LoginFactory

pytestmark = pytest.mark.django_db(transaction=True)


async def test_it_lists_every_ads_account(login: LoginFactory, sandbox: Sandbox) -> None:
    alice = login("alice")
    found = [account async for page in alice.ads_accounts("NA") for account in page.items]
    truth = sandbox.truth("alice")
    print(truth.keys())
    assert found
    assert alice.stats.requests == 1
