"""Examples of answers for the OpenAPI document."""

from typing import Any

ACCOUNT_ID, CONNECTION_ID = "0192f0c1-7a00-7c3e-9d4b-5f6a7b8c9d0e", "0192f0c0-11a2-7b3c-8d4e-5f6071829304"
OTHER_CONNECTION_ID = "0192f0c0-11a2-7b3c-8d4e-5f6071829305"
MANAGER_ID, BATCH_ID = "0192f0c1-7a01-7aaa-8bbb-0123456789ab", "0192f0d2-0000-7c3e-9d4b-5f6a7b8c9d0e"
RUN_ID, REFRESH_ID = "0192f0c2-5555-7c3e-9d4b-5f6a7b8c9d0e", "0192f0c3-6666-7c3e-9d4b-5f6a7b8c9d0e"

TEAM_ID = "0193c8a0-3f1c-7c2e-9d4b-2a7f0f6e7701"
TEAM = {"id": TEAM_ID, "name": "North"}
MEMBER = {
    "user": "alice",
    "role": "operator",
    "source": "person",
    "created_at": "2026-11-20T08:00:00Z",
}
ACCOUNT = {
    "id": ACCOUNT_ID,
    "team": TEAM,
    "amazon_account_id": "amzn1.ads-account.g.4kd92mf0s8q7",
    "name": "Nordwind Outdoor",
    "status": "active",
    "inactive_reason": None,
    "amazon_status": "CREATED",
    "standing": "at_risk",
    "suspended_in": [],
    "suspension_at": "2026-12-15T00:00:00Z",
    "account_type": "seller",
    "health": "attention",
    "health_reason": "at_risk",
    "connection": CONNECTION_ID,
    "connections": [CONNECTION_ID],
    "parent": None,
    "managers": [MANAGER_ID],
    "countries": ["DE"],
    "profiles": [
        {
            "profile_id": "3184501772934416",
            "country_code": "DE",
            "marketplace_id": "A1PA6795UKMFR9",
            "currency_code": "EUR",
            "timezone": "Europe/Paris",
            "type": "seller",
        }
    ],
    "errors": {},
    "metadata": {"adsAccountId": "amzn1.ads-account.g.4kd92mf0s8q7", "countryCodes": ["DE"]},
    "labels": {"team": "north"},
    "is_default": False,
    "sync_enabled": True,
    "connected_at": "2026-10-30T08:11:00Z",
    "last_synced_at": "2026-11-23T09:12:44Z",
    "sync_status": "synced",
    "sync_off_reason": None,
    "unread_regions": [],
    "sync_error": "",
}
PROFILE = {
    "profile_id": "3184501772934416",
    "account": ACCOUNT_ID,
    "amazon_account_id": "amzn1.ads-account.g.4kd92mf0s8q7",
    "name": "Nordwind Outdoor",
    "region": "EU",
    "country_code": "DE",
    "marketplace_id": "A1PA6795UKMFR9",
    "currency_code": "EUR",
    "timezone": "Europe/Paris",
    "type": "seller",
    "subtype": "",
    "entity_id": "A2EXAMPLESELLR",
    "access_level": "edit",
    "valid_payment_method": True,
    "daily_budget": None,
    "standing": "at_risk",
    "suspension_at": "2026-12-15T00:00:00Z",
    "billing_status": "VALID_BILLING_STATUS",
    "billing_message": "Your billing status is valid.",
    "billing_asked_at": "2026-11-23T09:12:44Z",
    "notices": [
        {
            "name": "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
            "severity": "ALERT",
            "impact": "NO_IMPACT",
            "title": "Your invoice is overdue",
            "description": "Pay your invoice to keep your campaigns running.",
            "due_at": "2026-12-01T00:00:00Z",
            "suspension_at": "2026-12-15T00:00:00Z",
        }
    ],
}
CHANGE = {
    "id": 48151,
    "account": ACCOUNT_ID,
    "kind": "status",
    "profile_id": "",
    "old": "active",
    "new": "suspended",
    "changed_at": "2026-11-23T09:12:44Z",
    "run": RUN_ID,
    "changed_by": None,
}
RUN: dict[str, Any] = {
    "id": RUN_ID,
    "connection": CONNECTION_ID,
    "trigger": "api",
    "state": "waiting",
    "created_at": "2026-11-23T09:12:40Z",
    "started_at": None,
    "finished_at": None,
    "seen": 0,
    "created": 0,
    "changed": 0,
    "unchanged": 0,
    "gone": 0,
    "rejected": 0,
    "requests": 0,
    "throttled": 0,
    "error": "",
    "cause": "",
    "sources": [],
}
CONNECTION = {
    "id": CONNECTION_ID,
    "label": "Northwind Agency",
    "labels": {"client": "northwind"},
    "contact_email": "it@northwind.example",
    "team": TEAM,
    "owner": "alice",
    "amazon_user": "ads@northwind.example",
    "regions": ["NA", "EU", "FE"],
    "state": "active",
    "paused": False,
    "expires_at": "2026-11-23T10:01:10Z",
    "consented_at": "2026-10-30T08:10:00Z",
    "consent_ends_at": "2027-10-30T08:10:00Z",
    "refresh_count": 586,
    "last_refreshed_at": "2026-11-23T09:01:10Z",
    "last_synced_at": "2026-11-23T09:12:44Z",
    "last_error": "",
}
AVAILABILITY = {
    "connection": CONNECTION_ID,
    "month": "2026-11",
    "until": "2026-12-01T00:00:00Z",
    "is_final": True,
    "minutes": 43_200,
    "token_valid": 43_177,
    "lost_to_amazon": 23,
    "lost_to_consent": 0,
    "lost_to_us": 0,
    "disconnected": 0,
    "token_unknown": 0,
    "token_valid_percent": 99.94,
    "sync_fresh": 43_200,
    "sync_late": 0,
    "sync_off": 0,
    "sync_unknown": 0,
    "sync_fresh_percent": 100.0,
    "late_after_seconds": 7200,
}
REFRESH = {
    "id": REFRESH_ID,
    "trigger": "scheduled",
    "tries": 1,
    "started_at": "2026-11-23T09:01:09Z",
    "finished_at": "2026-11-23T09:01:10Z",
    "outcome": "succeeded",
    "error_code": "",
    "error": "",
    "request_id": "3f0a2c9e-0d1b-4b7e-9a53-2f1c0e7d8a61",
    "new_expires_at": "2026-11-23T10:01:10Z",
}
BATCH = {
    "id": BATCH_ID,
    "operation": "sync",
    "state": "running",
    "total": 500,
    "succeeded": 120,
    "failed": 0,
    "skipped": 4,
    "created_at": "2026-11-23T09:20:00Z",
    "finished_at": None,
    "wait": None,
}
BATCH_ITEM = {"account": ACCOUNT_ID, "state": "succeeded", "message": "Synced.", "cause": ""}
CONNECTION_BATCH_ITEM = {"connection": CONNECTION_ID, "state": "succeeded", "message": "Paused.", "cause": ""}
HEALTH = {
    "state": "degraded",
    "reasons": [{"state": "degraded", "text": "The last sync of 1 login failed."}],
    "tokens": {
        "valid": 11,
        "expiring": 1,
        "expired": 0,
        "broken": 0,
        "next_expiry": "2026-11-23T09:25:10Z",
        "success_rate_24h": 1.0,
    },
    "accounts": {"active": 241, "suspended": 16, "pending": 19, "inactive": 24, "unknown": 0},
    "syncs": {
        "last_synced_at": "2026-11-23T09:12:44Z",
        "oldest_synced_at": "2026-11-23T09:02:12Z",
        "failing": 1,
        "late": 0,
        "next_sync_at": "2026-11-23T09:31:00Z",
    },
    "pacing": [
        {
            "region": "EU",
            "family": "accounts",
            "requests_per_second": 4.2,
            "throttled_last_hour": 3,
            "blocked_until": None,
            "circuit_open_until": None,
        }
    ],
}
ACCESS_TOKEN = {
    "access_token": "Atza|...",
    "token_type": "bearer",
    "expires_at": "2026-11-23T10:01:10Z",
    "client_id": "amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8",
    "hosts": {"EU": "https://advertising-api-eu.amazon.com"},
}
ACCESS_TOKENS = {
    "results": [{"connection": CONNECTION_ID, **ACCESS_TOKEN}],
    "errors": [
        {
            "connection": OTHER_CONNECTION_ID,
            "status": 409,
            "detail": "Amazon refuses this login. It must be reconnected.",
        }
    ],
}
AUDIT_ENTRY = {
    "id": "0193c8a0-5b1e-7c40-a1f2-9d3e4f5a6b7c",
    "at": "2026-11-29T08:12:45.318204Z",
    "actor_kind": "person",
    "actor_id": 7,
    "actor_name": "ana",
    "key_id": "",
    "key_name": "",
    "action": "connection.disconnect",
    "object_type": "connection",
    "object_id": CONNECTION_ID,
    "object_name": "",
    "team_id": None,
    "team_name": "",
    "address": "192.0.2.7",
    "request_id": "0193c8a05b1d7a22b3c4d5e6f7a8b9c0",
    "outcome": "done",
    "before": {"state": "active"},
    "after": {"state": "disconnected"},
}
EVENT = {
    "id": "0193c8a0-7b1e-7c52-9f43-2a9b3c4d5e70",
    "type": "account.suspended",
    "timestamp": "2026-11-29T08:00:02Z",
    "data": {
        "team": {"id": "0193c8a0-7b1e-7c52-9f43-2a9b3c4d5e01", "name": "Main"},
        "connection": {"id": "0193c8a0-7b1e-7c52-9f43-2a9b3c4d5e02", "label": "Nordwind"},
        "account": {
            "id": "0193c8a0-7b1e-7c52-9f43-2a9b3c4d5e03",
            "amazon_account_id": "amzn1.ads-account.g.nordwind",
            "name": "Nordwind Outdoor",
            "status": "suspended",
            "standing": "suspended",
        },
        "changes": {"status": ["active", "suspended"], "standing": ["good", "suspended"]},
    },
}
WEBHOOK_ID = "0193c8a0-9c2f-7d10-8b51-7e2f3a4b5c6d"
# No secret of anybody: the example of the specification.
WEBHOOK_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105
WEBHOOK = {
    "id": WEBHOOK_ID,
    "team": TEAM,
    "url": "https://hooks.example.com/amazon",
    "events": ["account.suspended", "account.restored"],
    "is_active": True,
    "created_at": "2026-11-20T08:00:00Z",
    "failing_since": None,
    "switched_off_at": None,
    "old_secret_ends_at": None,
}
DELIVERY = {
    "id": "0193c8a0-9d3a-7e21-9c62-8f3a4b5c6d7e",
    "event": EVENT["id"],
    "type": EVENT["type"],
    "state": "delivered",
    "created_at": "2026-11-29T08:00:04Z",
    "tries": 1,
    "tried_at": "2026-11-29T08:00:05Z",
    "next_try_at": None,
    "status": 204,
    "milliseconds": 87,
    "error": "",
}
NOTE = {
    "id": "0193c8a0-b1b2-7c3d-8e4f-5a6b7c8d9e0f",
    "account": ACCOUNT_ID,
    "connection": None,
    "author": "mara",
    "text": "The client pays by invoice. Ask Ana before you disconnect it.",
    "created_at": "2026-11-28T08:00:00Z",
}
VIEW = {
    "id": "0193c8a0-c1b2-7c3d-8e4f-5a6b7c8d9e0f",
    "name": "Germany",
    "query": "country=DE",
    "team": TEAM,
    "created_at": "2026-11-28T08:00:00Z",
}
CONNECT_LINK = {
    "id": "0193c8a0-a1b2-7c3d-8e4f-5a6b7c8d9e0f",
    "team": TEAM,
    "label": "Copperleaf",
    "connection": None,
    "email": "",
    "language": "en",
    "regions": ["EU"],
    "owner": "mara",
    "state": "open",
    "created_at": "2026-11-28T08:00:00Z",
    "ends_at": "2026-12-05T08:00:00Z",
    "mailed_at": None,
    "used_at": None,
    "connected": None,
    "came_back_as": "",
}
# It opens nothing.
CONNECT_LINK_URL = "https://ads.example.com/c/kV3nQm8ZrT5yLw2xHs7bDf9gJc4aPe6uNt1oRi0qXvE/"
