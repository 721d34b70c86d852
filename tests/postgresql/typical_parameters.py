"""Typical parameters of every statement in a `.sql` file, by the file's path."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

ID: Final = UUID("0193c8a0-0000-7000-8000-000000000001")
OTHER_ID: Final = UUID("0193c8a0-0000-7000-8000-000000000002")
MOMENT: Final = datetime(2026, 11, 1, tzinfo=UTC)

RUN: Final[dict[str, Any]] = {
    "run": ID,
    "started_at": MOMENT,
    "connection": OTHER_ID,
    "client": "amzn1.application-oa2-client.typical",
    "team": OTHER_ID,
    "user": 1,
    "complete_regions": ["NA", "EU"],
    "complete_manager_regions": ["NA"],
    "complete_scopes": ["ads_accounts", "profiles:NA", "dsp_advertisers:NA:1"],
    "list_is_complete": True,
    "precedence": ["ads_accounts", "profiles", "dsp_advertisers", "manager_accounts"],
    "max_held_readings": 2,
    "doubtful_regions": ["FE"],
}
CHUNK: Final = {**RUN, "listing": 0, "after": 0, "up_to": 1000}
MOVE: Final = {
    "connection": ID,
    "client": "amzn1.application-oa2-client.typical",
    "team": ID,
    "old_team": OTHER_ID,
    "accounts": [ID],
    "others": [OTHER_ID],
}
BATCH: Final = {"batch": ID}
ITEMS: Final = {
    "batch": ID,
    "ids": [ID, OTHER_ID],
    "request_number": 20_000,
    "overtaken": "A newer request changed it.",
}
CACHE_ENTRY: Final = {"key": "limit", "value": "gASVBw==", "life": 60.0}

TYPICAL_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "amazon_accounts/postgresql/sql/add_cache_entry.sql": CACHE_ENTRY,
    "amazon_accounts/postgresql/sql/delete_expired_cache_entries.sql": {},
    "amazon_accounts/postgresql/sql/probe_write.sql": {},
    "amazon_accounts/postgresql/sql/read_cache_entries.sql": {"keys": ["limit"]},
    "amazon_accounts/postgresql/sql/set_cache_entry.sql": CACHE_ENTRY,
    "amazon_accounts/postgresql/sql/touch_cache_entry.sql": {"key": "limit", "life": 60.0},
    "tokens/people/sql/take_hand_outs.sql": {
        "key": ID,
        "number": 500,
        "pause": timedelta(milliseconds=10),
        "allowed": timedelta(minutes=1),
    },
    "tokens/sign_in/sql/give_turns_back.sql": {"keys": ["person", "address"]},
    "tokens/sign_in/sql/take_turns.sql": {
        "keys": ["person", "address"],
        "pauses": [timedelta(minutes=1), timedelta(seconds=5)],
        "allowed": [timedelta(minutes=5), timedelta(minutes=2)],
    },
    "accounts/batch/sql/disconnect_accounts.sql": ITEMS,
    "accounts/batch/sql/end_synced_items.sql": BATCH,
    "accounts/batch/sql/end_unwanted_runs.sql": {"runs": [ID]},
    "accounts/batch/sql/follow_next_run.sql": BATCH,
    "accounts/batch/sql/follow_run.sql": BATCH,
    "accounts/batch/sql/lock_accounts.sql": {"ids": [ID, OTHER_ID]},
    "accounts/batch/sql/reconnect_accounts.sql": {
        **ITEMS,
        "words": ["", "CREATED"],
        "statuses": ["active", "active"],
    },
    "accounts/batch/sql/update_accounts.sql": {
        **ITEMS,
        "set": Jsonb({"client": "Acme"}),
        "removed": ["brand"],
        "sync_enabled": None,
        "last_forgettable": 10_000,
        "max_labels": 50,
        "too_many": "It would have too many labels.",
    },
    "accounts/models/sql/find_last_forgettable_number.sql": {"kept": 10_000},
    "accounts/models/sql/take_request_number.sql": {"kept": 10_000},
    "accounts/sql/delete_abandoned_rows.sql": {},
    "accounts/sql/delete_old_runs.sql": {"before": MOMENT, "batch_size": 1000},
    "accounts/lists/sql/count_in_sample.sql": {
        "metadata": Jsonb({"marketplace": "US"}),
        "labels": None,
        "search": "shop",
        "pages": 100,
    },
    "accounts/lists/sql/index_names.sql": {"limit": 1000},
    "accounts/standing/sql/find_due_pairs.sql": {
        "connection": ID,
        "regions": ["EU", "FE"],
        "interval": "21600 seconds",
    },
    "accounts/standing/sql/forget_old_answers.sql": {"max_age": timedelta(days=7)},
    "accounts/standing/sql/record_answers.sql": {
        "connection": ID,
        "answers": '[{"profile": 1, "status": "VALID_BILLING_STATUS", "message": "", "notices": []}]',
    },
    "accounts/standing/sql/settle_accounts.sql": {
        "accounts": [ID, OTHER_ID],
        "statuses": '{"CREATED": "active"}',
    },
    "accounts/sync/sql/adopt_profile_only_accounts.sql": CHUNK,
    "accounts/sync/sql/clear_missing_marks.sql": RUN,
    "accounts/sync/sql/combine_manager_accounts.sql": RUN,
    "accounts/sync/sql/continue_as_profile_accounts.sql": RUN,
    "accounts/sync/sql/count_accounts.sql": RUN,
    "accounts/sync/sql/merge_access.sql": {"connection": ID, "older": OTHER_ID},
    "accounts/sync/sql/mark_unread_accounts.sql": {**RUN, "may_clear": True, "read_regions": ["NA"]},
    "accounts/sync/sql/delete_staged_rows.sql": {"connection": ID},
    "accounts/sync/sql/find_postponed_runs.sql": {"task": "accounts.run_sync", "runs": [ID, OTHER_ID]},
    "accounts/sync/sql/find_profiles_without_entity.sql": RUN,
    "accounts/sync/sql/find_waiting_runs_without_job.sql": {"task": "accounts.run_sync"},
    "accounts/sync/sql/find_staged_key.sql": {**CHUNK, "position": 1},
    "accounts/sync/sql/hand_over_to_live_connections.sql": RUN,
    "accounts/sync/sql/hand_over_or_mark_not_visible.sql": {**RUN, "include_unsynced": False},
    "accounts/sync/sql/find_ghosts.sql": {"team": ID, "max_labels": 50},
    "accounts/sync/sql/hold_accounts_by_profiles.sql": {**RUN, "statuses": '{"": "active"}'},
    "accounts/sync/sql/is_staging_marked.sql": CHUNK,
    "accounts/sync/sql/list_scopes.sql": RUN,
    "accounts/sync/sql/lock_connection.sql": {**RUN, "grant_version": 1},
    "accounts/sync/sql/lock_run.sql": {
        **RUN,
        "setting": "amazon_accounts.sync_run",
        "value": str(ID),
    },
    "accounts/sync/sql/merge_accounts.sql": CHUNK,
    "accounts/sync/sql/copy_accounts.sql": MOVE,
    "accounts/sync/sql/copy_manager_links.sql": MOVE,
    "accounts/sync/sql/find_moved_accounts.sql": MOVE,
    "accounts/sync/sql/give_to_successors.sql": {**MOVE, "keeps_all": True},
    "accounts/sync/sql/hand_over_left_accounts.sql": MOVE,
    "accounts/sync/sql/lock_moved_accounts.sql": MOVE,
    "accounts/sync/sql/move_access.sql": MOVE,
    "accounts/sync/sql/move_accounts.sql": MOVE,
    "accounts/sync/sql/separate_teams.sql": {**MOVE, "stored": [OTHER_ID]},
    "accounts/sync/sql/unite_labels.sql": MOVE,
    "accounts/sync/sql/merge_manager_links.sql": RUN,
    "accounts/sync/sql/move_job.sql": {
        "lock": f"accounts.run_sync:{ID}",
        "queue": "people_sync",
        "priority": -1,
        "at": None,
    },
    "accounts/sync/sql/reassign_parents.sql": {**RUN, "accounts": [ID, OTHER_ID]},
    "accounts/sync/sql/remove_access.sql": RUN,
    "accounts/sync/sql/sees_profile_only_accounts.sql": {**RUN, "profile_scopes": ["profiles:NA"]},
    "accounts/sync/sql/stage_profile_only_accounts.sql": RUN,
    "amazon_accounts/amazon_ads/pacing/sql/combine_old_hours.sql": {"rate_limit_id": 1, "kept_since": MOMENT},
    "amazon_accounts/amazon_ads/pacing/sql/is_still_open.sql": {
        "region": "NA",
        "family": "accounts",
        "subject": "alice",
        "is_probe": False,
    },
    "amazon_accounts/amazon_ads/pacing/sql/reserve_slot.sql": {
        "region": "NA",
        "family": "accounts",
        "subject": "alice",
        "max_wait": 60.0,
        "ceiling": 47.5,
        "growth": 0.25,
        "probe_every": 30.0,
        "is_probe": False,
    },
    "dashboard/sql/count_accounts.sql": {"connections": [ID, OTHER_ID], "max": 5000, "only_live": True},
    "tokens/people/audit/sql/place_links.sql": {
        "key": ID,
        "entries": [ID, OTHER_ID],
        "numbers": [1, 2],
        "digests": [b"first", b"second"],
    },
    "tokens/processes/sql/delete_finished_jobs.sql": {"before": MOMENT, "batch_size": 1000},
    "tokens/processes/sql/fetch_job.sql": {
        "known_tasks": ["tokens.refresh_due"],
        "queues": ["tokens"],
        "worker_id": 7,
    },
    "tokens/processes/sql/end_silent_leader.sql": {"silence": timedelta(seconds=30)},
    "tokens/processes/sql/return_job.sql": {"job_id": 7, "worker_id": 7, "attempts": 1, "wait_seconds": 15},
    "tokens/processes/sql/take_lead.sql": {"lock": 7},
    "tokens/refresh/sql/record_success.sql": {
        "access_token": b"encrypted",
        "refresh_token": None,
        "life": 3600.0,
        "due_in": 3000.0,
        "connection_id": ID,
        "refresh_id": OTHER_ID,
        "grant_version": 1,
        "tries": 1,
        "request_id": "",
    },
    "tokens/refresh/sql/release_leases.sql": {"connection_ids": [ID], "refresh_ids": [OTHER_ID]},
    "tokens/refresh/sql/renew_leases.sql": {
        "connection_ids": [ID],
        "refresh_ids": [OTHER_ID],
        "lease_seconds": 15.0,
    },
    "tokens/refresh/sql/seconds_until_lost.sql": {
        "client_id": RUN["client"],
        "overdue_below_seconds": 9.0,
    },
    "tokens/refresh/sql/take_leases.sql": {
        "connection_id": None,
        "client_id": RUN["client"],
        "before": MOMENT,
        "healthy": True,
        "batch_size": 100,
        "seen": None,
        "lease_seconds": 15.0,
        "trigger": "due",
    },
    "tokens/sql/read_tokens.sql": {"after": ID, "batch_size": 1000},
    "tokens/sql/replace_access_tokens.sql": {"ids": [ID], "stale": ["old"], "fresh": ["new"]},
    "tokens/sql/replace_refresh_tokens.sql": {"ids": [ID], "stale": ["old"], "fresh": ["new"]},
    "tokens/sql/sample_tokens.sql": {},
}

# A statement that chooses between two modes by its parameters is planned in the second mode too.
SECOND_MODES: Final[dict[str, dict[str, Any]]] = {
    "tokens/refresh/sql/take_leases.sql": {
        "connection_id": ID,
        "client_id": RUN["client"],
        "before": None,
        "healthy": None,
        "batch_size": 1,
        "seen": 7,
        "lease_seconds": 15.0,
        "trigger": "manual",
    },
}
