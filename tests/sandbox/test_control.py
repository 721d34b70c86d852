"""The control path, as another process uses it."""

from typing import Any

import httpx
import pytest

from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, demo_world
from tests.sandbox.conftest import NOTIFICATIONS, STATUSES, AmazonCaller


async def control(amazon: AmazonCaller, method: str, path: str, /, **body: Any) -> Any:
    answer = await amazon.http.request(method, f"/_sandbox{path}", json=body or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_summary_counts_the_world(amazon: AmazonCaller) -> None:
    await amazon.get("/v2/profiles")
    summary = await control(amazon, "GET", "/")
    assert summary["logins"]["alice"]["ads_accounts"] == 5
    assert summary["calls"] == 1
    assert summary["switches"]["put_profiles"] == 207


@pytest.mark.parametrize(
    ("body", "logins"),
    [
        ({"world": "demo"}, 8),
        ({"world": "small"}, 3),
        ({"world": "empty"}, 0),
        (
            {
                "world": "generated",
                "logins": 4,
                "accounts_per_login": 2,
                "regions": ["NA"],
                "managers_per_login": 1,
            },
            4,
        ),
    ],
)
async def test_reset_makes_another_world(amazon: AmazonCaller, body: dict[str, Any], logins: int) -> None:
    amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].return_urls.append("https://kept.example/")
    summary = await control(amazon, "POST", "/reset", **body)
    assert len(summary["logins"]) == logins
    assert amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].return_urls == ["https://kept.example/"]


async def test_reset_forgets_everything_else(amazon: AmazonCaller) -> None:
    sandbox = amazon.sandbox
    sandbox.choices.united_kingdom = "GB"
    sandbox.faults.add("slow")
    sandbox.throttle.limit(1)
    sandbox.clock.advance(1000)
    token = sandbox.refresh_token("alice")
    sandbox.revoke("alice")
    summary = await control(amazon, "POST", "/reset")
    assert (summary["faults"], summary["throttle"], summary["calls"]) == ([], [], 0)
    assert summary["switches"]["united_kingdom"] == "UK"
    assert len(summary["logins"]) == 3
    assert (await amazon.refresh(token)).status_code == 200


async def test_the_clock_is_moved_and_stopped(amazon: AmazonCaller) -> None:
    before = (await control(amazon, "GET", "/clock"))["seconds"]
    after = await control(amazon, "POST", "/clock", advance=1000, frozen=True)
    assert after["frozen"]
    assert after["seconds"] == pytest.approx(before + 1000, abs=5)
    assert (await control(amazon, "POST", "/clock", set=5, advance=1))["seconds"] == 6
    assert (await control(amazon, "POST", "/clock", frozen=False))["frozen"] is False
    assert amazon.sandbox.clock.now() == pytest.approx(6, abs=5)


async def test_switches_are_read_and_changed(amazon: AmazonCaller) -> None:
    assert (await control(amazon, "POST", "/switches", put_profiles=200))["put_profiles"] == 200
    assert (await control(amazon, "GET", "/switches"))["put_profiles"] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"nonsense": 1},
        {"put_profiles": 201},
        {"lwa_error_details": 1},
        {"code_seconds": True},
        {"auto_consent": None},
        {"retry_after": "soon"},
        {"united_kingdom": "GB", "list_shape": "tree"},
    ],
)
async def test_an_unknown_switch_or_value_is_refused(amazon: AmazonCaller, change: dict[str, Any]) -> None:
    answer = await amazon.http.post("/_sandbox/switches", json=change)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert amazon.sandbox.choices.united_kingdom == "UK"


async def test_tokens_are_granted_revoked_and_expired(amazon: AmazonCaller) -> None:
    tokens = await control(amazon, "POST", "/grants", login="alice", scopes=["profile"], consented_at=1)
    assert (await amazon.refresh(tokens["refresh_token"])).status_code == 400
    tokens = await control(amazon, "POST", "/grants", login="alice")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await amazon.http.get("/user/profile", headers=headers)).status_code == 200
    await control(amazon, "POST", "/expire", login="alice")
    assert (await amazon.http.get("/user/profile", headers=headers)).status_code == 400
    assert (await amazon.refresh(tokens["refresh_token"])).status_code == 200
    await control(amazon, "POST", "/revoke", login="alice")
    assert (await amazon.refresh(tokens["refresh_token"])).status_code == 400


async def test_permissions_are_given_and_taken(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    account = world.logins["bob"].ads_accounts[-1]
    login = await control(amazon, "POST", "/permissions", login="alice", ads_account_id=account, level="view")
    assert account in login["ads_accounts"]
    profile_id = next(iter(world.logins["alice"].profiles))
    await control(amazon, "POST", "/permissions", login="alice", profile_id=str(profile_id), level="none")
    assert profile_id not in world.logins["alice"].profiles
    manager = world.logins["alice"].manager_accounts[0]
    await control(amazon, "POST", "/permissions", login="alice", manager_account_id=manager, level="none")
    assert world.logins["alice"].manager_accounts == []


async def test_the_billing_of_a_pair_is_set_read_and_cleared(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    profile = next(world.profiles[each] for each in world.logins["alice"].profiles)
    advertiser_id, marketplace_id = profile.pair
    notice = {"name": "CREDIT_CARD_EXPIRES_SOON", "severity": "WARNING", "suspension_date": "2026-12-15"}
    made = await control(
        amazon,
        "POST",
        "/billing",
        profile_id=str(profile.profile_id),
        status_code="PAYMENT_METHOD_EXPIRED",
        notifications=[notice],
    )
    assert (made["advertiser_id"], made["marketplace_id"]) == profile.pair
    assert made["notifications"][0]["suspension_date"] == "2026-12-15"
    (item,) = (await amazon.billing(STATUSES, profile)).json()["success"]
    assert item["billingStatus"]["billingStatusCode"] == "PAYMENT_METHOD_EXPIRED"
    (item,) = (await amazon.billing(NOTIFICATIONS, profile)).json()["success"]
    assert item["billingNotifications"][0]["notificationName"] == "CREDIT_CARD_EXPIRES_SOON"
    path = f"/billing/{advertiser_id}/{marketplace_id}"
    assert await control(amazon, "GET", path) == made
    assert await control(amazon, "GET", "/billing") == [made]
    cleared = await control(amazon, "DELETE", path)
    assert (cleared["status_code"], cleared["notifications"]) == ("VALID_BILLING_STATUS", [])
    assert await control(amazon, "GET", "/billing") == []


async def test_billing_is_set_by_pair_as_a_whole_and_cleared_for_all(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    profile = next(world.profiles[each] for each in world.logins["alice"].profiles)
    pair = {"advertiser_id": profile.account_id, "marketplace_id": profile.marketplace_id}
    await control(
        amazon, "POST", "/billing", **pair, status_code="NEW", message="Words", notifications=[{"name": "N"}]
    )
    await control(amazon, "POST", "/billing", **pair, status_code="ACCOUNT_BILLING_ISSUE")
    (found,) = await control(amazon, "GET", "/billing")
    assert (found["status_code"], found["message"], found["notifications"]) == (
        "ACCOUNT_BILLING_ISSUE",
        None,
        [],
    )
    assert await control(amazon, "DELETE", "/billing") == []


PROFILE = {
    "profile_id": 77,
    "region": "NA",
    "country_code": "US",
    "currency_code": "USD",
    "timezone": "America/Los_Angeles",
    "marketplace_id": "ATVPDKIKX0DER",
    "account_id": "A7",
    "type": "agency",
}
ADVERTISER = {
    "advertiser_id": "5",
    "agency_profile_id": 77,
    "name": "Five",
    "url": "",
    "currency": "USD",
    "country": "US",
    "timezone": "America/New_York",
}
LINK = {
    "region": "NA",
    "account_id": "A7",
    "account_name": "n",
    "account_type": "SELLER",
    "marketplace_id": "x",
}


async def test_an_entity_is_read_changed_and_removed(amazon: AmazonCaller) -> None:
    (first, *_) = await control(amazon, "GET", "/entities/ads_accounts")
    path = f"/entities/ads_accounts/{first['ads_account_id']}"
    alternates = [{"country_code": "US"}]
    changed = await control(amazon, "PATCH", path, account_name="Renamed", alternates=alternates)
    assert changed["account_name"] == "Renamed"
    assert (await control(amazon, "GET", path))["alternates"][0]["profile_id"] is None
    await control(amazon, "DELETE", path)
    assert first["ads_account_id"] not in amazon.sandbox.world.logins["alice"].ads_accounts


async def test_an_added_ads_account_is_listed(amazon: AmazonCaller) -> None:
    account = {"ads_account_id": "amzn1.ads-account.g.new", "account_name": "New", "country_codes": ["US"]}
    alternates = [{"country_code": "US", "profile_id": 77}]
    path = "/entities/ads_accounts"
    await control(amazon, "POST", path, logins=["charlie"], alternates=alternates, **account)
    truth = await control(amazon, "GET", "/truth?login=charlie")
    assert truth["ads_accounts"][0]["alternateIds"][0]["profileId"] == 77


async def test_an_added_agency_is_listed_with_its_advertisers_until_it_is_removed(
    amazon: AmazonCaller,
) -> None:
    await control(amazon, "POST", "/entities/profiles", logins=["charlie"], level="view", **PROFILE)
    await control(amazon, "POST", "/entities/dsp_advertisers", **ADVERTISER)
    truth = await control(amazon, "GET", "/truth?login=charlie")
    assert truth["profiles"]["NA"][0]["accessLevel"] == "view"
    assert truth["dsp_advertisers"]["77"][0]["name"] == "Five"
    await control(amazon, "DELETE", "/entities/dsp_advertisers/5")
    await control(amazon, "DELETE", "/entities/profiles/77")
    truth = await control(amazon, "GET", "/truth?login=charlie")
    assert truth["profiles"]["NA"] == []
    assert truth["dsp_advertisers"] == {}


async def test_an_added_manager_account_is_listed_until_it_is_removed(amazon: AmazonCaller) -> None:
    manager = {"manager_account_id": "m7", "name": "M", "links": [LINK]}
    await control(amazon, "POST", "/entities/manager_accounts", logins=["charlie"], **manager)
    truth = await control(amazon, "GET", "/truth?login=charlie")
    assert truth["manager_accounts"]["NA"][0]["linkedAccounts"][0]["accountId"] == "A7"
    await control(amazon, "DELETE", "/entities/manager_accounts/m7")
    truth = await control(amazon, "GET", "/truth?login=charlie")
    assert truth["manager_accounts"]["NA"] == []


async def test_logins_and_clients_are_added_and_removed(amazon: AmazonCaller) -> None:
    login = {"login_id": "eve", "user_id": "u", "name": "Eve", "email": "e@example.test"}
    added = await control(amazon, "POST", "/entities/logins", profiles={"78": "edit"}, **login)
    assert added["profiles"] == {"78": "edit"}
    assert await control(amazon, "DELETE", "/entities/logins/eve")
    assert "eve" not in amazon.sandbox.world.logins
    client = {"client_id": "c", "name": "C", "secret": "s"}
    assert (await control(amazon, "POST", "/entities/clients", **client))["approved"]
    assert (await control(amazon, "PATCH", "/entities/clients/c", blocked=True))["blocked"]
    assert await control(amazon, "DELETE", "/entities/clients/c")
    assert "c" not in amazon.sandbox.world.clients


async def test_faults_limits_latency_and_outages_are_added_and_removed(amazon: AmazonCaller) -> None:
    rule = await control(amazon, "POST", "/faults", kind="error_500", path="/v2/profiles", nth=2, region="NA")
    assert rule["nth"] == [2]
    assert [(await amazon.get("/v2/profiles")).status_code for _ in range(2)] == [200, 500]
    assert (await control(amazon, "GET", "/faults"))[0]["struck"] == 1
    await control(amazon, "DELETE", f"/faults/{rule['name']}")
    (limit,) = await control(amazon, "POST", "/throttle", rate=0, per=["region"], retry_after="absent")
    assert limit["name"] == "limit"
    assert (await amazon.get("/v2/profiles")).status_code == 429
    await control(amazon, "DELETE", "/throttle/limit")
    assert await control(amazon, "GET", "/throttle") == []
    await control(amazon, "POST", "/latency", seconds=0.01, region="EU")
    await control(amazon, "POST", "/outage", of="FE")
    await control(amazon, "POST", "/outage", of="lwa", kind="unavailable_html")
    assert (await amazon.get("/v2/profiles", region="fe")).status_code == 503
    assert (await amazon.get("/v2/profiles", region="na")).status_code == 200
    assert (await amazon.refresh(amazon.sandbox.refresh_token("alice"))).status_code == 503
    await control(amazon, "POST", "/outage", of="FE", on=False)
    assert (await amazon.get("/v2/profiles", region="fe")).status_code == 200
    assert await control(amazon, "DELETE", "/faults") == []
    assert await control(amazon, "DELETE", "/throttle") == []


async def test_the_journal_is_filtered_counted_and_cleared(amazon: AmazonCaller) -> None:
    await amazon.get("/v2/profiles")
    await amazon.get("/v2/profiles", login="bob", region="eu")
    refresh_token = amazon.sandbox.refresh_token("alice")
    await amazon.refresh(refresh_token)
    found = await control(amazon, "GET", "/journal?login=bob")
    (entry,) = found["entries"]
    assert (entry["region"], entry["path"], entry["status"], entry["credential"]) == (
        "EU",
        "/v2/profiles",
        200,
        "valid",
    )
    assert len(entry["token_fingerprint"]) == 12
    assert (await control(amazon, "GET", "/journal?limit=1"))["entries"][0]["grant_type"] == "refresh_token"
    assert (await control(amazon, "GET", "/journal?limit=0"))["total"] == 3
    counts = await control(amazon, "GET", "/journal/counts?by=area,login")
    assert {"area": "api", "login": "alice", "calls": 1} in counts
    text = str([each.as_dict() for each in amazon.sandbox.journal])
    assert "Atz" not in text
    assert refresh_token not in text
    assert (await control(amazon, "DELETE", "/journal"))["total"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/reset", {"world": "flat"}, 400),
        ("POST", "/reset", {"world": "generated", "planets": 9}, 400),
        ("POST", "/expire", {"tokens": "all"}, 400),
        ("POST", "/permissions", {"login": "alice", "level": "own"}, 400),
        ("POST", "/permissions", {"login": "nobody"}, 404),
        ("POST", "/grants", {}, 400),
        ("POST", "/grants", {"login": "nobody"}, 404),
        ("POST", "/faults", {"kind": "nonsense"}, 400),
        ("POST", "/faults", {}, 400),
        ("DELETE", "/faults/none", None, 404),
        ("POST", "/throttle", {"rate": -1}, 400),
        ("POST", "/throttle", {"rate": 1, "nonsense": 1}, 400),
        ("POST", "/outage", {"of": "moon"}, 400),
        ("GET", "/entities/planets", None, 400),
        ("GET", "/entities/profiles/1", None, 404),
        ("GET", "/entities/profiles/x", None, 400),
        ("PATCH", "/entities/logins/alice", {"age": 7}, 400),
        ("POST", "/billing", {"status_code": "VALID_BILLING_STATUS"}, 400),
        ("POST", "/billing", {"profile_id": 1}, 404),
        ("POST", "/billing", {"advertiser_id": "A0", "marketplace_id": "M0"}, 400),
        ("GET", "/billing/A0/M0", None, 400),
        ("GET", "/truth?login=nobody", None, 404),
        ("GET", "/journal?limit=x", None, 400),
        ("GET", "/journal?nonsense=1", None, 400),
        ("GET", "/journal/counts?by=nonsense", None, 400),
        ("POST", "/clock", [], 400),
        ("GET", "/nothing", None, 404),
        ("POST", "/journal", None, 405),
    ],
)
async def test_a_mistake_is_answered_with_its_reason(
    amazon: AmazonCaller, method: str, path: str, body: Any, status: int
) -> None:
    await amazon.get("/v2/profiles")
    answer: httpx.Response = await amazon.http.request(method, f"/_sandbox{path}", json=body)
    assert answer.status_code == status, answer.text


async def test_half_surrogates_survive_the_control_path(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(demo_world())
    names = [
        each.get("accountName")
        for each in (await control(amazon, "GET", "/truth?login=grim"))["ads_accounts"]
    ]
    assert "Lone surrogate \ud83d here" in names
