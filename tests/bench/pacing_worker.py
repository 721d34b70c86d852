"""One of the processes of the pacing benchmark: makes its share of the calls and prints what became of them.

Reads a JSON order from standard input, one line; says "ready"; begins when the second line has come. See pacing.py.
"""

import asyncio
import importlib
import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

CLIENT_ID = "amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8"
#: How many calls each process makes at once, in the plain client and in ours.
AT_ONCE = 20
ATTEMPTS = 5
ROUTES = {
    "profiles": ("GET", "/v2/profiles?accessLevel=view", "application/json"),
    "managers": ("GET", "/managerAccounts", "application/vnd.getmanageraccountsresponse.v1+json"),
    "accounts": ("POST", "/adsAccounts/list", "application/vnd.listaccountsresource.v1+json"),
}


async def plain(order: dict[str, Any]) -> dict[str, Any]:
    """What most would write: httpx, all at once, tenacity's exponential backoff."""
    import httpx
    import tenacity

    gate = asyncio.Semaphore(AT_ONCE)

    async with httpx.AsyncClient(timeout=60) as http:

        async def call(login: str, route: str) -> bool:
            method, path, media_type = ROUTES[route]
            headers = {
                "Authorization": f"Bearer {order['tokens'][login]}",
                "Amazon-Advertising-API-ClientId": CLIENT_ID,
                "Accept": media_type,
            }
            if method == "POST":
                headers["Content-Type"] = media_type

            @tenacity.retry(
                stop=tenacity.stop_after_attempt(ATTEMPTS),
                wait=tenacity.wait_exponential(multiplier=1, max=60),
                retry=tenacity.retry_if_exception_type(httpx.HTTPError),
            )
            async def ask() -> None:
                content = b"{}" if method == "POST" else None
                answer = await http.request(method, order["url"] + path, headers=headers, content=content)
                answer.raise_for_status()

            async with gate:
                try:
                    await ask()
                except tenacity.RetryError:
                    return False
                return True

        done = await asyncio.gather(*(call(login, route) for login, route in order["calls"]))
    return {"lost": done.count(False)}


async def ours(order: dict[str, Any]) -> dict[str, Any]:
    """The product's client; what it postpones is done later, as a worker would."""
    from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
    from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError

    gate = asyncio.Semaphore(AT_ONCE)
    postponed = 0
    lost: list[str] = []
    waits: list[float] = []

    async with AmazonClient() as amazon:

        def login_of(name: str) -> AdsApi:
            async def token(rejected: str | None = None) -> str:
                return str(order["tokens"][name])

            return amazon.with_token(subject=name, client_id=CLIENT_ID, token=token)

        logins = {name: login_of(name) for name in order["tokens"]}

        async def ask(login: AdsApi, route: str) -> None:
            if route == "profiles":
                await login.profiles("NA", "view")
            elif route == "managers":
                await login.manager_accounts("NA")
            else:
                async for _ in login.ads_accounts("NA"):
                    pass

        async def call(name: str, route: str) -> None:
            nonlocal postponed
            async with gate:
                while True:
                    try:
                        await ask(logins[name], route)
                    except PostponedError as error:
                        postponed += 1
                        await asyncio.sleep(max(0.0, (error.until - datetime.now(UTC)).total_seconds()))
                    except AmazonError as error:
                        lost.append(str(error))
                        return
                    else:
                        return

        await asyncio.gather(*(call(login, route) for login, route in order["calls"]))
        waits = [login.stats.waited_seconds for login in logins.values()]
    return {"lost": len(lost), "postponed": postponed, "waited": sum(waits), "errors": lost[:5]}


async def reservations(order: dict[str, Any]) -> dict[str, Any]:
    """Nothing but reservations of one row, one after the other."""
    from django.db import connections

    from amazon_accounts.amazon_ads.models import Family
    from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, reserve

    row = RateLimitKey("FE", Family.ACCOUNTS)

    def run() -> list[float]:
        seconds = []
        chance = random.Random(order["seed"])
        until = time.perf_counter() + order["seconds"]
        while (began := time.perf_counter()) < until:
            reserve(row, f"login-{chance.randrange(10)}", max_wait=1e9)
            seconds.append(time.perf_counter() - began)
        connections.close_all()
        return seconds

    return {"seconds": await asyncio.to_thread(run)}


KINDS = {"plain": plain, "ours": ours, "reservations": reservations}


def main() -> None:
    order = json.loads(sys.stdin.readline())
    if order["kind"] != "plain":
        _use_database(order["database"])
        importlib.import_module("amazon_accounts.amazon_ads.client")
    print("ready", flush=True)
    sys.stdin.readline()
    result = asyncio.run(KINDS[order["kind"]](order))
    print(json.dumps({**result, "ended_at": time.time()}), flush=True)


def _use_database(parameters: dict[str, str]) -> None:
    import django
    from django.conf import settings

    settings.DATABASES["default"].update(parameters)
    for name, value in {"AMAZON_MAX_ATTEMPTS": ATTEMPTS}.items():
        setattr(settings, name, value)
    django.setup()


if __name__ == "__main__":
    main()
