"""A bare HTTP client for the sandbox, which is tested here without the product."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from amazon_accounts.sandbox.ads_api.media import (
    BILLING_NOTIFICATION_REQUEST_TYPE,
    BILLING_NOTIFICATION_TYPE,
    BILLING_STATUS_REQUEST_TYPE,
    BILLING_STATUS_TYPE,
    LIST_TYPE,
)
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Profile
from tests.sandbox_fixtures import IN_PROCESS_URL, SandboxTransport

#: Path, media type of the request and media type of the answer.
STATUSES = ("/billing/statuses", BILLING_STATUS_REQUEST_TYPE, BILLING_STATUS_TYPE)
NOTIFICATIONS = ("/billing/notifications", BILLING_NOTIFICATION_REQUEST_TYPE, BILLING_NOTIFICATION_TYPE)


class AmazonCaller:
    # Sends correct requests by default; each test changes one part.

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
        self.sandbox = sandbox
        self.http = http

    def headers(self, login: str = "alice", **more: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.sandbox.access_token(login)}",
            "Amazon-Advertising-API-ClientId": DEFAULT_CLIENT_ID,
        } | {name.replace("_", "-"): value for name, value in more.items()}

    async def get(
        self, path: str, *, login: str = "alice", region: str = "na", scope: object = ""
    ) -> httpx.Response:
        headers = self.headers(login)
        if scope:
            headers["Amazon-Advertising-API-Scope"] = str(scope)
        return await self.http.get(f"/{region}/api{path}", headers=headers)

    async def list_accounts(self, login: str = "alice", region: str = "na", **body: Any) -> httpx.Response:
        headers = self.headers(login) | {"Content-Type": LIST_TYPE, "Accept": LIST_TYPE}
        # As ASCII, so that a test may send half of a surrogate pair.
        content = json.dumps(body)
        return await self.http.post(f"/{region}/api/adsAccounts/list", headers=headers, content=content)

    async def billing(
        self,
        operation: tuple[str, str, str],
        *profiles: Profile,
        login: str = "alice",
        region: str = "na",
        body: Any = None,
        **headers: str,
    ) -> httpx.Response:
        """Ask for the billing of these profiles, or send another body."""
        path, sent, wanted = operation
        headers = {"Content-Type": sent, "Accept": wanted} | self.headers(login, **headers)
        if body is None:
            body = {"advertiserMarketplaces": [name_pair(each) for each in profiles]}
        content = body if isinstance(body, str) else json.dumps(body)
        return await self.http.post(f"/{region}/api{path}", headers=headers, content=content)

    async def token(self, region: str = "/na", **form: str) -> httpx.Response:
        """A token request; `name=""` leaves the field out."""
        fields = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET} | form
        return await self.http.post(
            f"{region}/auth/o2/token", data={name: value for name, value in fields.items() if value}
        )

    async def refresh(self, refresh_token: str, **form: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **form)


def name_pair(profile: Profile) -> dict[str, str]:
    return {"advertiserId": profile.account_id, "marketplaceId": profile.marketplace_id}


@pytest.fixture
async def amazon(sandbox: Sandbox, sandbox_transport: SandboxTransport) -> AsyncIterator[AmazonCaller]:
    async with httpx.AsyncClient(transport=sandbox_transport, base_url=IN_PROCESS_URL, timeout=5) as http:
        yield AmazonCaller(sandbox, http)
