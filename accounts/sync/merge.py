"""Storing what Amazon shows: staged as it comes, then merged by statements that touch only what differs.

A page is copied into an unlogged table, under the run. Every thousand rows, one statement compares them with what is
stored and writes what is new or different, accounts, profiles and access rows alike. A row that is the same is
neither written nor locked: comparing reads it, no more. (ON CONFLICT DO UPDATE would lock every row it meets, and
write a kilobyte of WAL for each.)

Three rules hold for every statement that changes accounts:

  fence   First it makes sure that the run is still ours and that its connection is neither disconnected nor
          reconnected, and holds both so until it commits.
  order   Connection, run, then one merge at a time for each person (an advisory lock), rows sorted by key. Two
          logins of one person see the same accounts; so they can neither collide nor deadlock.
  owner   An account's data comes from its own connection. Another login that sees it only says so in an access
          row, and takes over when that connection is not live or does not see the account any more.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db import connection as database
from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from accounts.sync.listing import Listing
from accounts.sync.requests import RunClaim, RunLostError
from accounts.sync.rows import MOST_ID_BYTES, StagedAccount, StagedProfile
from accounts.update import MOST_LABELS
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.postgresql.statements import load

CHUNK: Final = 1000
MOST_TRIES: Final = 3
# The number of no walk: see Store._mark.
MARK: Final = -1
# Any number of our own: it keeps our advisory locks apart from others'.
LOCK_CLASS: Final = 20260

Result = TypeVar("Result")


class StagingLost(Exception):  # noqa: N818 - it reads as the state it reports
    """The database lost what was staged: it crashed and is back."""


@dataclass(frozen=True)
class Merged:
    """What became of some staged rows."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(
            self.created + other.created,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )


# --- Staging ----------------------------------------------------------------------------------------------


@contextmanager
def held(claim: RunClaim) -> Iterator[CursorWrapper]:
    """A transaction in which the run is ours. RunLostError otherwise: what was staged then, nobody would clear away."""
    with transaction.atomic(), database.cursor() as cursor:
        # What is unlogged does not outlive a crash anyway.
        _hold_run(cursor, claim, "set_config('synchronous_commit', 'off', true)")
        yield cursor


def _hold_run(cursor: CursorWrapper, claim: RunClaim, setting: str) -> None:
    cursor.execute(
        f"SELECT {setting} FROM accounts_syncrun WHERE id = %s AND state = 'running' AND started_at = %s FOR SHARE",  # noqa: S608
        [claim.run_id, claim.started_at],
    )
    if cursor.fetchone() is None:
        raise RunLostError


ACCOUNT_COLUMNS: Final = (
    "amazon_account_id",
    "new_id",
    "source",
    "seen_in",
    "name",
    "account_type",
    "status",
    "amazon_status",
    "countries",
    "errors",
    "metadata",
    "profile_ids",
    "profile_countries",
    "profile_regions",
    "profile_entities",
    "links",
    "cut_regions",
)
PROFILE_COLUMNS: Final = (
    "profile_id",
    "new_account_id",
    "region",
    "country_code",
    "marketplace_id",
    "currency_code",
    "timezone",
    "type",
    "subtype",
    "name",
    "entity_id",
    "access_level",
    "valid_payment_method",
    "daily_budget",
    "raw",
)


def _account_values(account: StagedAccount) -> tuple[Any, ...]:
    return (
        account.amazon_account_id,
        account.new_id,
        account.source.value,
        _array(account.seen_in),
        account.name,
        account.account_type and account.account_type.value,
        account.status.value,
        account.amazon_status,
        _array(account.countries),
        account.errors,
        account.metadata,
        _array(account.profile_ids),
        _array(account.profile_countries),
        _array(account.profile_regions),
        _array(account.profile_entities),
        account.links,
        None if account.cut_regions is None else _array(account.cut_regions),
    )


_profile_values = attrgetter(*PROFILE_COLUMNS)


def _array(values: Sequence[str]) -> str:
    """An array of texts as PostgreSQL writes it: several times faster than the driver's own way."""
    if not values:
        return "{}"
    text = "".join(values)
    if '"' in text or "\\" in text:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}'


def _copy(
    claim: RunClaim, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> list[tuple[int, str]]:
    """Copy the rows; return the places of those that the database refuses, each with its reason.

    COPY takes all or nothing, so what it refuses is halved until the guilty row stands alone.
    """
    if not rows:
        return []
    try:
        with held(claim) as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except (DataError, OperationalError) as error:
        if not _is_about_data(error):
            raise
        if len(rows) == 1:
            return [(0, _reason(error))]
        half = len(rows) // 2
        behind = _copy(claim, table, columns, rows[half:])
        before = _copy(claim, table, columns, rows[:half])
        return before + [(half + index, reason) for index, reason in behind]
    return []


def _is_about_data(error: Exception) -> bool:
    """Whether one row is to blame: a value that does not fit (22, 23) or passes a limit (54)."""
    return _sqlstate(error)[:2] in {"22", "23", "54"}


def _sqlstate(error: Exception) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _reason(error: Exception) -> str:
    """What the database says, without the values that its details would quote."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return f"The database refused it: {getattr(diagnosis, 'message_primary', None) or 'no reason given'}."


# --- Merging ----------------------------------------------------------------------------------------------


@contextmanager
def fenced(claim: RunClaim) -> Iterator[CursorWrapper]:
    """A transaction in which the run is ours and its connection the one we asked Amazon as. RunLostError otherwise."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM tokens_connection"
            " WHERE id = %s AND grant_version = %s AND state <> 'disconnected' FOR SHARE",
            [claim.connection_id, claim.grant_version],
        )
        if cursor.fetchone() is None:
            raise RunLostError
        # The triggers that write down changes ask which run makes them.
        _hold_run(cursor, claim, "set_config('amazon_accounts.sync_run', id::text, true)")
        lock_person(cursor, claim.owner_id)
        yield cursor


def lock_person(cursor: CursorWrapper, user_id: int) -> None:
    """One at a time, until the transaction ends, of all that rewrite this person's accounts."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, user_id])


# Adoption. An account that stood on its profiles alone, as long as no ads account named them, becomes the ads
# account that names one of them now: same row, same labels, another key. The oldest such row, if there are several.
ADOPT: Final = """
WITH newcomer AS MATERIALIZED (
    SELECT staged.amazon_account_id, staged.profile_ids
      FROM accounts_staged_chunk(%(run)s, %(walk)s, %(after)s, %(upto)s) staged
      LEFT JOIN LATERAL (
           SELECT id, user_id FROM user_accounts present
            WHERE present.amazon_account_id = staged.amazon_account_id OFFSET 0) account
        ON account.user_id = %(user)s
     WHERE account.id IS NULL
), candidate AS (
    SELECT DISTINCT ON (newcomer.amazon_account_id) newcomer.amazon_account_id, account.id
      FROM newcomer
     CROSS JOIN LATERAL unnest(newcomer.profile_ids) AS named(profile_id)
     CROSS JOIN LATERAL (
           SELECT account_id FROM accounts_profile present
            WHERE present.profile_id = named.profile_id OFFSET 0) profile
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) account
     CROSS JOIN LATERAL (
           SELECT connection_id FROM accounts_accountaccess present
            WHERE present.account_id = account.id OFFSET 0) access
     WHERE account.user_id = %(user)s AND account.source = 'profiles' AND access.connection_id = %(connection)s
     ORDER BY newcomer.amazon_account_id, account.first_seen_at, account.id
), adopted AS (
    SELECT DISTINCT ON (id) id, amazon_account_id FROM candidate ORDER BY id, amazon_account_id
)
UPDATE user_accounts account
   SET amazon_account_id = adopted.amazon_account_id, source = 'ads_accounts', updated_at = clock_timestamp(),
       connection_id = CASE WHEN account.sync_enabled AND account.inactive_reason IS DISTINCT FROM 'disconnected'
                            THEN %(connection)s ELSE account.connection_id END
  FROM adopted
 WHERE account.id = adopted.id
"""

# Whether the connection sees any account that stands on its profiles, and that could be adopted. It will see no other
# before its ads accounts are merged.
SEES_LONE: Final = """
SELECT EXISTS (SELECT FROM accounts_accountaccess
                WHERE connection_id = %(connection)s AND seen_in && %(profile_scopes)s::text[])
"""

# The merge of one chunk. What each part finds is named once (MATERIALIZED) and used by all that write:
#
#   chunk      the staged rows, the last of each key, in order
#   matched    ... with the stored account, and whether we may write it
#   stored     the profiles that these accounts have
#   profile    the profiles that they should have: what the ads account names, with what /v2/profiles says. Where the
#              profiles of a region could not be read to their end, what is stored stays
#   desired    the accounts as they should be
#
# All parts see the database as it was before the statement, so each compares with the old rows.
MERGE: Final = """
WITH chunk AS MATERIALIZED (
    SELECT * FROM accounts_staged_chunk(%(run)s, %(walk)s, %(after)s, %(upto)s)
), matched AS MATERIALIZED (
    SELECT chunk.*,
           coalesce(account.id, chunk.new_id) AS account_id,
           account.id IS NULL AS is_new,
           account.connection_id AS old_connection_id, account.source AS old_source, account.name AS old_name,
           account.account_type AS old_account_type, account.status AS old_status,
           account.inactive_reason AS old_inactive_reason, account.amazon_status AS old_amazon_status,
           account.countries AS old_countries, account.parent_id AS old_parent_id,
           account.errors AS old_errors, account.metadata AS old_metadata,
           access.id AS access_id, access.seen_in AS old_seen_in, access.missing_since,
           account.id IS NULL OR (
               account.inactive_reason IS DISTINCT FROM 'disconnected'
               AND (account.sync_enabled OR account.inactive_reason IS NOT NULL)
               AND (account.connection_id = %(connection)s OR NOT EXISTS (
                   SELECT FROM (SELECT connection_id, seen_in FROM accounts_accountaccess
                                 WHERE account_id = account.id OFFSET 0) present
                     JOIN tokens_connection holder ON holder.id = present.connection_id
                    WHERE present.connection_id = account.connection_id
                      AND holder.state = 'active' AND holder.client_id = %(client)s
                      -- Its lists that tell about the account could be read.
                      AND NOT coalesce((
                          SELECT bool_and(scope = ANY (holder.unread_lists)) FROM unnest(present.seen_in) scope
                           WHERE split_part(scope, ':', 1) = account.source), false)))
               -- Two lists show the same key: the weightier one tells, as long as it shows it.
               AND (account.source = chunk.source OR array_position(%(weights)s::text[], chunk.source)
                        < array_position(%(weights)s::text[], account.source::text)
                    OR NOT EXISTS (SELECT FROM unnest(access.seen_in) scope
                                    WHERE split_part(scope, ':', 1) = account.source
                                      AND (NOT (scope = ANY (%(walked)s::text[])) OR EXISTS (
                                          SELECT FROM accounts_staged_account shown
                                           WHERE shown.run_id = %(run)s AND shown.source <> 'ads_accounts'
                                             AND shown.amazon_account_id = chunk.amazon_account_id
                                             AND scope = ANY (shown.seen_in)))))
           ) AS is_ours
      FROM chunk
      LEFT JOIN LATERAL (
           SELECT * FROM user_accounts present
            WHERE present.amazon_account_id = chunk.amazon_account_id OFFSET 0) account
        ON account.user_id = %(user)s
      LEFT JOIN LATERAL (
           SELECT * FROM accounts_accountaccess present WHERE present.account_id = account.id OFFSET 0) access
        ON access.connection_id = %(connection)s
), stored AS MATERIALIZED (
    SELECT profile.*
      FROM matched
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_profile present WHERE present.account_id = matched.account_id OFFSET 0) profile
     WHERE matched.is_ours AND NOT matched.is_new
), named AS (
    SELECT matched.account_id, name.profile_id, name.country_code, name.region, name.entity_id
      FROM matched
     CROSS JOIN LATERAL unnest(profile_ids, profile_countries, profile_regions, profile_entities)
                        AS name(profile_id, country_code, region, entity_id)
     WHERE matched.is_ours
), looked_up AS (
    SELECT named.*, staged.run_id IS NOT NULL AS is_told, stored.id AS old_id,
           -- Nothing is told, and that says nothing: the region was not read to its end.
           staged.run_id IS NULL AND stored.id IS NOT NULL
               AND NOT (stored.region = ANY (%(complete_regions)s::text[])) AS stays,
           staged.region AS told_region, staged.country_code AS told_country_code, staged.marketplace_id,
           staged.currency_code, staged.timezone, staged.type, staged.subtype, staged.name,
           staged.entity_id AS told_entity_id, staged.access_level, staged.valid_payment_method,
           staged.daily_budget, staged.raw,
           stored.region AS old_region, stored.country_code AS old_country_code,
           stored.marketplace_id AS old_marketplace_id, stored.currency_code AS old_currency_code,
           stored.timezone AS old_timezone, stored.type AS old_type, stored.subtype AS old_subtype,
           stored.name AS old_name, stored.entity_id AS old_entity_id, stored.ads_entity_id AS old_ads_entity_id,
           stored.access_level AS old_access_level, stored.valid_payment_method AS old_valid_payment_method,
           stored.daily_budget AS old_daily_budget
      FROM named
      LEFT JOIN LATERAL (
           SELECT * FROM accounts_staged_profile found
            WHERE found.run_id = %(run)s AND found.profile_id = named.profile_id
            ORDER BY found.region LIMIT 1) staged ON true
      LEFT JOIN stored ON stored.account_id = named.account_id AND stored.profile_id = named.profile_id
), profile AS MATERIALIZED (
    SELECT account_id, profile_id, old_id,
           CASE WHEN is_told THEN told_region WHEN stays THEN old_region ELSE region END AS region,
           CASE WHEN is_told THEN told_country_code WHEN stays THEN old_country_code
                ELSE country_code END AS country_code,
           CASE WHEN is_told THEN marketplace_id WHEN stays THEN old_marketplace_id ELSE '' END AS marketplace_id,
           CASE WHEN is_told THEN currency_code WHEN stays THEN old_currency_code ELSE '' END AS currency_code,
           CASE WHEN is_told THEN timezone WHEN stays THEN old_timezone ELSE '' END AS timezone,
           CASE WHEN is_told THEN type WHEN stays THEN old_type ELSE '' END AS type,
           CASE WHEN is_told THEN subtype WHEN stays THEN old_subtype ELSE '' END AS subtype,
           CASE WHEN is_told THEN name WHEN stays THEN old_name ELSE '' END AS name,
           CASE WHEN is_told THEN told_entity_id WHEN stays THEN old_entity_id ELSE '' END AS entity_id,
           entity_id AS ads_entity_id,
           CASE WHEN is_told THEN coalesce(access_level, old_access_level, 'view')
                WHEN stays THEN old_access_level ELSE 'view' END AS access_level,
           CASE WHEN is_told THEN valid_payment_method
                WHEN stays THEN old_valid_payment_method END AS valid_payment_method,
           CASE WHEN is_told THEN daily_budget WHEN stays THEN old_daily_budget END AS daily_budget,
           CASE WHEN is_told THEN raw
                WHEN stays THEN (SELECT told FROM user_accounts account, jsonb_array_elements(
                                     CASE jsonb_typeof(account.metadata -> 'profiles')
                                         WHEN 'array' THEN account.metadata -> 'profiles' ELSE '[]' END) told
                                  WHERE account.id = account_id AND told ->> 'profileId' = profile_id
                                  LIMIT 1) END AS raw,
           (old_region, old_country_code, old_marketplace_id, old_currency_code, old_timezone, old_type,
            old_subtype, old_name, old_entity_id, old_ads_entity_id, old_access_level, old_valid_payment_method,
            old_daily_budget) AS old
      FROM looked_up
), summary AS (
    SELECT account_id,
           mode() WITHIN GROUP (ORDER BY type) FILTER (WHERE type IN ('seller', 'vendor', 'agency'))
               AS account_type,
           jsonb_agg(raw ORDER BY profile_id) FILTER (WHERE raw IS NOT NULL) AS told
      FROM profile
     GROUP BY account_id
), desired AS MATERIALIZED (
    SELECT matched.account_id, matched.amazon_account_id, matched.is_new, matched.source, matched.name,
           coalesce(matched.account_type, summary.account_type, 'unknown') AS account_type,
           matched.status, matched.amazon_status, matched.countries, matched.errors,
           agency.parent_id, full_metadata.metadata,
           matched.is_new OR (old_connection_id, old_source, old_name, old_account_type, old_status,
                              old_inactive_reason, old_amazon_status, old_countries, old_parent_id, old_errors,
                              old_metadata)
               IS DISTINCT FROM
               (%(connection)s::uuid, matched.source::varchar, matched.name,
                coalesce(matched.account_type, summary.account_type, 'unknown')::varchar, matched.status::varchar,
                NULL::varchar, matched.amazon_status, matched.countries, agency.parent_id, matched.errors,
                full_metadata.metadata) AS differs
      FROM matched
      LEFT JOIN summary ON summary.account_id = matched.account_id
      LEFT JOIN LATERAL (
           -- The agency of a DSP advertiser: the one of the first profile that shows it.
           SELECT agency_profile.account_id AS parent_id
             FROM accounts_profile agency_profile
             JOIN user_accounts agency ON agency.id = agency_profile.account_id AND agency.user_id = %(user)s
            WHERE matched.source = 'dsp_advertisers'
              AND agency_profile.profile_id = (
                  SELECT min(split_part(scope, ':', 3)) FROM unnest(old_seen_in || matched.seen_in) scope
                   WHERE starts_with(scope, 'dsp_advertisers:'))
            ORDER BY agency.connection_id = %(connection)s DESC, agency.id LIMIT 1) agency ON true
     CROSS JOIN LATERAL (
           SELECT CASE WHEN matched.source = 'manager_accounts'
                       -- By region; what was said of a region that could not be read stays.
                       THEN (coalesce(old_metadata, '{}') - %(complete_manager_regions)s::text[]) || matched.metadata
                       WHEN summary.told IS NULL THEN matched.metadata
                       ELSE matched.metadata || jsonb_build_object('profiles', summary.told) END AS metadata
           ) full_metadata
     WHERE matched.is_ours
), created AS (
    INSERT INTO user_accounts
           (id, user_id, amazon_account_id, connection_id, source, name, account_type, status, amazon_status,
            countries, parent_id, errors, metadata, labels, is_default, sync_enabled, first_seen_at, connected_at,
            updated_at)
    SELECT account_id, %(user)s, amazon_account_id, %(connection)s, source, name, account_type, status,
           amazon_status, countries, parent_id, errors, metadata, '{}', false, true, statement_timestamp(),
           statement_timestamp(), statement_timestamp()
      FROM desired
     WHERE is_new
     ORDER BY amazon_account_id
    RETURNING id
), changed AS (
    UPDATE user_accounts account
       SET connection_id = %(connection)s, source = desired.source, name = desired.name,
           account_type = desired.account_type, status = desired.status, inactive_reason = NULL,
           amazon_status = desired.amazon_status, countries = desired.countries, parent_id = desired.parent_id,
           errors = desired.errors, metadata = desired.metadata, updated_at = statement_timestamp()
      FROM (SELECT * FROM desired WHERE differs AND NOT is_new ORDER BY amazon_account_id) desired
     WHERE account.id = desired.account_id
       -- Looked at again on the row as it is now: somebody may have disconnected it since.
       AND account.inactive_reason IS DISTINCT FROM 'disconnected'
       AND (account.sync_enabled OR account.inactive_reason IS NOT NULL)
    RETURNING account.id
), seen_first AS (
    INSERT INTO accounts_accountaccess (account_id, connection_id, seen_in, since)
    SELECT account_id, %(connection)s, seen_in, statement_timestamp()
      FROM matched
     WHERE access_id IS NULL
     ORDER BY amazon_account_id
), seen_elsewhere AS (
    UPDATE accounts_accountaccess access
       SET seen_in = ARRAY(SELECT DISTINCT scope FROM unnest(access.seen_in || matched.seen_in) scope ORDER BY 1),
           missing_since = NULL
      FROM matched
     WHERE access.id = matched.access_id
       AND (NOT matched.old_seen_in @> matched.seen_in OR matched.missing_since IS NOT NULL)
), new_profile AS (
    INSERT INTO accounts_profile
           (account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype,
            name, entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget)
    SELECT account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype,
           name, entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget
      FROM profile
     WHERE old_id IS NULL
     ORDER BY account_id, profile_id
    RETURNING account_id
), changed_profile AS (
    UPDATE accounts_profile stored
       SET region = profile.region, country_code = profile.country_code,
           marketplace_id = profile.marketplace_id, currency_code = profile.currency_code,
           timezone = profile.timezone, type = profile.type, subtype = profile.subtype, name = profile.name,
           entity_id = profile.entity_id, ads_entity_id = profile.ads_entity_id,
           access_level = profile.access_level, valid_payment_method = profile.valid_payment_method,
           daily_budget = profile.daily_budget
      FROM profile
     WHERE stored.id = profile.old_id
       AND profile.old IS DISTINCT FROM
           (profile.region::varchar, profile.country_code, profile.marketplace_id, profile.currency_code,
            profile.timezone, profile.type, profile.subtype, profile.name, profile.entity_id,
            profile.ads_entity_id, profile.access_level::varchar, profile.valid_payment_method,
            profile.daily_budget)
    RETURNING stored.account_id
), gone_profile AS (
    DELETE FROM accounts_profile
     USING stored
     WHERE accounts_profile.id = stored.id
       AND NOT EXISTS (SELECT FROM profile WHERE profile.old_id = stored.id)
    RETURNING accounts_profile.account_id
)
SELECT (SELECT count(*) FROM created),
       (SELECT count(*) FROM (SELECT id FROM changed
                              UNION SELECT account_id FROM new_profile
                              UNION SELECT account_id FROM changed_profile
                              UNION SELECT account_id FROM gone_profile
                              EXCEPT SELECT id FROM created) touched),
       (SELECT count(*) FROM chunk)
"""


# Profiles that no ads account of this run names become accounts keyed by whose profiles they are. When the list of
# ads accounts could not be read to its end, or alone misses so much that it waits for a second walk (see TAKE_AWAY),
# only those that stood alone before: one of the accounts we have not seen may name the others. Profiles of such an
# account in a region that could not be read to its end stay with it.
STAGE_PROFILE_ACCOUNTS: Final = """
WITH listed AS MATERIALIZED (
    SELECT position, amazon_account_id, profile_ids
      FROM accounts_staged_of(%(run)s)
     WHERE source = 'ads_accounts'
), named AS MATERIALIZED (
    SELECT name.profile_id
      FROM listed
     CROSS JOIN LATERAL unnest(listed.profile_ids) AS name(profile_id)
    UNION ALL
    -- They were listed, but not so that we could read which profiles they name.
    SELECT profile.profile_id
      FROM listed
     CROSS JOIN LATERAL (
           SELECT id, user_id FROM user_accounts present
            WHERE present.amazon_account_id = listed.amazon_account_id OFFSET 0) account
     CROSS JOIN LATERAL (
           SELECT profile_id FROM accounts_profile present WHERE present.account_id = account.id OFFSET 0) profile
     WHERE listed.position = 0 AND account.user_id = %(user)s
), nobodys AS MATERIALIZED (
    SELECT staged.*
      FROM accounts_staged_profiles_of(%(run)s) staged
     WHERE staged.entity_id <> '' AND NOT EXISTS (SELECT FROM named WHERE named.profile_id = staged.profile_id)
), before AS MATERIALIZED (
    SELECT access.seen_in, access.missing_since, account.amazon_account_id
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT present.amazon_account_id FROM user_accounts present
            WHERE present.id = access.account_id LIMIT 1) account
     WHERE access.connection_id = %(connection)s AND access.since < %(started_at)s
), lost AS MATERIALIZED (
    SELECT before.missing_since
      FROM before
     WHERE before.seen_in = '{ads_accounts}'
       AND NOT EXISTS (SELECT FROM listed WHERE listed.amazon_account_id = before.amazon_account_id)
), list AS (
    SELECT %(list_is_complete)s AND NOT (
               2 * (SELECT count(*) FROM lost) > (SELECT count(*) FROM before)
               AND EXISTS (SELECT FROM lost WHERE missing_since IS NULL)) AS is_believed
), alone AS MATERIALIZED (
    SELECT DISTINCT ON (nobodys.profile_id) nobodys.*
      FROM nobodys
     -- Asked only when there is one such profile.
     WHERE (SELECT is_believed FROM list)
        OR EXISTS (
           SELECT FROM (SELECT user_id, source FROM user_accounts present
                         WHERE present.amazon_account_id = nobodys.entity_id OFFSET 0) known
            WHERE known.user_id = %(user)s AND known.source = 'profiles')
           AND (SELECT coalesce(bool_or(holder.source = 'profiles'), true)
                  FROM (SELECT account_id FROM accounts_profile present
                         WHERE present.profile_id = nobodys.profile_id OFFSET 0) profile
                 CROSS JOIN LATERAL (
                       SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) holder
                 WHERE holder.user_id = %(user)s AND holder.inactive_reason IS DISTINCT FROM 'not_visible'
                   AND EXISTS (SELECT FROM accounts_accountaccess access
                                WHERE access.account_id = holder.id AND access.connection_id = %(connection)s OFFSET 0))
     ORDER BY nobodys.profile_id, nobodys.region
), kept AS (
    SELECT account.amazon_account_id, profile.*
      FROM (SELECT DISTINCT entity_id FROM alone) present
     CROSS JOIN LATERAL (
           SELECT id, amazon_account_id, user_id, source FROM user_accounts known
            WHERE known.amazon_account_id = present.entity_id OFFSET 0) account
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_profile known
            WHERE known.account_id = account.id AND NOT (known.region = ANY (%(complete_regions)s::text[]))
           OFFSET 0) profile
     WHERE account.user_id = %(user)s AND account.source = 'profiles'
       AND NOT EXISTS (SELECT FROM alone WHERE alone.profile_id = profile.profile_id)
       AND NOT EXISTS (SELECT FROM named WHERE named.profile_id = profile.profile_id)
), part AS (
    SELECT entity_id AS key, walk, profile_id, region, country_code, name, new_account_id FROM alone
    UNION ALL
    SELECT amazon_account_id, NULL, profile_id, region, country_code, name, NULL FROM kept
)
INSERT INTO accounts_staged_account
       (run_id, walk, position, amazon_account_id, new_id, source, seen_in, name, status, countries, errors,
        metadata, profile_ids, profile_countries, profile_regions, profile_entities)
SELECT %(run)s, min(walk), row_number() OVER (PARTITION BY min(walk) ORDER BY key), key,
       (array_agg(new_account_id ORDER BY profile_id) FILTER (WHERE new_account_id IS NOT NULL))[1], 'profiles',
       array_agg(DISTINCT 'profiles:' || region) FILTER (WHERE walk IS NOT NULL),
       coalesce((array_agg(name ORDER BY profile_id) FILTER (WHERE name <> ''))[1], ''), 'active',
       coalesce(array_agg(DISTINCT country_code) FILTER (WHERE country_code <> ''), '{}'), '{}', '{}',
       array_agg(profile_id ORDER BY profile_id), array_agg(country_code ORDER BY profile_id),
       array_agg(region ORDER BY profile_id), array_agg(''::text ORDER BY profile_id)
  FROM part
 GROUP BY key
RETURNING walk
"""

# Profiles that stand alone and do not say whose they are; and of the account that had such a profile, the key.
NAMELESS_PROFILES: Final = """
SELECT staged.walk, staged.profile_id, 'profiles:' || staged.region,
       (SELECT account.amazon_account_id
          FROM (SELECT account_id FROM accounts_profile present
                 WHERE present.profile_id = staged.profile_id OFFSET 0) profile
         CROSS JOIN LATERAL (
               SELECT * FROM user_accounts present WHERE present.id = profile.account_id LIMIT 1) account
         WHERE account.user_id = %(user)s AND account.source = 'profiles'
         LIMIT 1)
  FROM accounts_staged_profiles_of(%(run)s) staged
 WHERE staged.entity_id = ''
   AND NOT EXISTS (SELECT FROM accounts_staged_of(%(run)s) listed
                    CROSS JOIN LATERAL unnest(listed.profile_ids) AS named(profile_id)
                    WHERE named.profile_id = staged.profile_id)
"""

# Manager accounts and the advertisers behind their links, each once with what every region says of it, in the walk of
# the first region that does.
STAGE_MANAGER_ACCOUNTS: Final = """
WITH told AS (
    SELECT staged.*, region.key AS region, region.value AS raw
      FROM accounts_staged_account staged
      LEFT JOIN LATERAL jsonb_each(staged.metadata) region ON true
     WHERE staged.run_id = %(run)s AND staged.source = 'manager_accounts' AND staged.position < 0
)
INSERT INTO accounts_staged_account
       (run_id, walk, position, amazon_account_id, new_id, source, seen_in, name, account_type, status, countries,
        errors, metadata, profile_ids, profile_countries, profile_regions, profile_entities)
SELECT %(run)s, min(walk), row_number() OVER (PARTITION BY min(walk) ORDER BY amazon_account_id),
       amazon_account_id, (array_agg(new_id))[1], 'manager_accounts', array_agg(DISTINCT seen_in[1]),
       coalesce((array_agg(name ORDER BY walk) FILTER (WHERE name <> ''))[1], ''), min(account_type), 'active', '{}',
       '{}', coalesce(jsonb_object_agg(region, raw) FILTER (WHERE region IS NOT NULL), '{}'), '{}', '{}', '{}', '{}'
  FROM told
 GROUP BY amazon_account_id
RETURNING walk
"""

# The links of the manager accounts that are ours to write. A link leads to the accounts with its profile, or to its
# DSP advertiser, or, if it names neither, to the account of that key. Links in a region that could not be read, or
# where the manager account shows as many as Amazon ever shows, stay.
MERGE_LINKS: Final = """
WITH told AS MATERIALIZED (
    SELECT account.id AS manager_id, staged.links, staged.cut_regions
      FROM accounts_staged_account staged
     CROSS JOIN LATERAL (
           SELECT * FROM user_accounts present
            WHERE present.amazon_account_id = staged.amazon_account_id OFFSET 0) account
     WHERE staged.run_id = %(run)s AND staged.source = 'manager_accounts' AND staged.links IS NOT NULL
       AND account.user_id = %(user)s AND account.connection_id = %(connection)s
       AND account.inactive_reason IS NULL AND account.sync_enabled
), target AS (
    SELECT told.manager_id, found.account_id, link.region
      FROM told
     CROSS JOIN LATERAL jsonb_to_recordset(told.links)
                        AS link(region text, profile_id text, advertiser_id text, account_id text)
     CROSS JOIN LATERAL (
           SELECT profile.account_id
             FROM accounts_profile profile
             JOIN user_accounts account ON account.id = profile.account_id AND account.user_id = %(user)s
            WHERE profile.profile_id = link.profile_id
           UNION
           SELECT account.id
             FROM user_accounts account
            WHERE account.user_id = %(user)s
              AND account.amazon_account_id = coalesce(
                  link.advertiser_id, CASE WHEN link.profile_id IS NULL THEN link.account_id END)
           ) found
     WHERE found.account_id <> told.manager_id
), shown AS (
    SELECT manager_id, account_id, array_agg(DISTINCT region) AS regions
      FROM target
     GROUP BY manager_id, account_id
), stored AS (
    SELECT link.*, ARRAY(SELECT region FROM unnest(link.regions) region
                          WHERE NOT (region = ANY (%(complete_manager_regions)s::text[]))
                             OR EXISTS (SELECT FROM told WHERE told.manager_id = link.manager_id
                                                           AND region = ANY (told.cut_regions))) AS kept
      FROM accounts_accountmanager link
     WHERE link.manager_id IN (SELECT manager_id FROM told)
), desired AS MATERIALIZED (
    SELECT manager_id, account_id, stored.id AS old_id, stored.regions AS old_regions,
           ARRAY(SELECT DISTINCT region FROM unnest(shown.regions || stored.kept::text[]) region ORDER BY 1) AS regions
      FROM shown
      FULL JOIN stored USING (manager_id, account_id)
), created AS (
    INSERT INTO accounts_accountmanager (manager_id, account_id, regions)
    SELECT manager_id, account_id, regions FROM desired WHERE old_id IS NULL ORDER BY manager_id, account_id
), changed AS (
    UPDATE accounts_accountmanager link
       SET regions = desired.regions
      FROM desired
     WHERE link.id = desired.old_id AND desired.regions <> '{}'
       AND desired.regions <> desired.old_regions::text[]
)
DELETE FROM accounts_accountmanager link
 USING desired
 WHERE link.id = desired.old_id AND desired.regions = '{}'
"""

COUNT_ACCOUNTS: Final = load(__file__, "count_accounts")

# Taking away. An access row loses those of its lists that were walked to their end and do not show the account; the
# row that loses its last one goes. If more than half of the connection's rows would go at once, only those go that
# the walk before missed as well; the others are marked, and the next walk will tell.
TAKE_AWAY: Final = """
WITH doubtful AS MATERIALIZED (
    SELECT access.*, account.amazon_account_id
      FROM accounts_accountaccess access
     CROSS JOIN LATERAL (
           SELECT present.amazon_account_id FROM user_accounts present
            WHERE present.id = access.account_id LIMIT 1) account
     WHERE access.connection_id = %(connection)s
       AND access.seen_in && %(walked)s::text[]
       -- Most are shown in every list that showed them before: nothing to look at.
       AND NOT EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                        WHERE staged.amazon_account_id = account.amazon_account_id
                          AND staged.seen_in @> access.seen_in)
), shown AS (
    SELECT staged.amazon_account_id, array_agg(scope) AS scopes
      FROM accounts_staged_of(%(run)s) staged
     CROSS JOIN LATERAL unnest(staged.seen_in) scope
     WHERE staged.amazon_account_id IN (SELECT amazon_account_id FROM doubtful)
     GROUP BY staged.amazon_account_id
), missed AS MATERIALIZED (
    SELECT doubtful.*, ARRAY(SELECT scope FROM unnest(doubtful.seen_in) scope
                              WHERE NOT (scope = ANY (%(walked)s::text[])) OR scope = ANY (shown.scopes)
                              ORDER BY scope) AS remains
      FROM doubtful
      LEFT JOIN shown USING (amazon_account_id)
), lost AS MATERIALIZED (
    SELECT * FROM missed WHERE remains = '{}'
), verdict AS MATERIALIZED (
    SELECT 2 * (SELECT count(*) FROM lost)
           > (SELECT count(*) FROM accounts_accountaccess
               WHERE connection_id = %(connection)s AND since < %(started_at)s) AS is_most
), fewer AS (
    UPDATE accounts_accountaccess access
       SET seen_in = missed.remains
      FROM missed
     WHERE access.id = missed.id AND missed.remains <> '{}' AND missed.remains <> missed.seen_in
    RETURNING access.account_id
), taken AS (
    DELETE FROM accounts_accountaccess
     WHERE id = ANY (ARRAY(SELECT lost.id FROM lost, verdict
                            WHERE NOT verdict.is_most OR lost.missing_since IS NOT NULL))
    RETURNING seen_in[1] AS scope
), marked AS (
    UPDATE accounts_accountaccess
       SET missing_since = statement_timestamp()
     WHERE id = ANY (ARRAY(SELECT lost.id FROM lost, verdict
                            WHERE verdict.is_most AND lost.missing_since IS NULL))
    RETURNING seen_in[1] AS scope
)
SELECT 'taken', scope, count(*), NULL::uuid[] FROM taken GROUP BY scope
UNION ALL
SELECT 'marked', scope, count(*), NULL FROM marked GROUP BY scope
UNION ALL
SELECT 'fewer', '', count(*), array_agg(account_id) FROM fewer
"""

# An account that was missed once and is shown again, if only so that it cannot be stored, is missed no more.
SEEN_AGAIN: Final = """
UPDATE accounts_accountaccess access
   SET missing_since = NULL
  FROM user_accounts account
 WHERE access.connection_id = %(connection)s AND access.missing_since IS NOT NULL
   AND account.id = access.account_id
   AND EXISTS (SELECT FROM accounts_staged_of(%(run)s) staged
                WHERE staged.amazon_account_id = account.amazon_account_id AND staged.seen_in && access.seen_in)
"""

# A DSP advertiser that one of its agencies no longer shows hangs below another one.
REPARENT: Final = """
UPDATE user_accounts account
   SET parent_id = agency.account_id, updated_at = statement_timestamp()
  FROM accounts_accountaccess access
 CROSS JOIN LATERAL (
       SELECT profile.account_id
         FROM accounts_profile profile
         JOIN user_accounts owner ON owner.id = profile.account_id AND owner.user_id = %(user)s
        WHERE profile.profile_id = (SELECT min(split_part(scope, ':', 3)) FROM unnest(access.seen_in) scope
                                     WHERE starts_with(scope, 'dsp_advertisers:'))
        ORDER BY owner.connection_id = %(connection)s DESC, owner.id LIMIT 1) agency
 WHERE account.id = ANY (%(accounts)s) AND access.account_id = account.id
   AND access.connection_id = %(connection)s AND account.connection_id = %(connection)s
   AND account.source = 'dsp_advertisers' AND account.parent_id IS DISTINCT FROM agency.account_id
   AND account.sync_enabled AND account.inactive_reason IS NULL
"""

# Accounts whose connection does not see them any more go to one that does; if none does, they are not visible.
HAND_OVER: Final = """
WITH orphan AS MATERIALIZED (
    SELECT account.id
      FROM user_accounts account
     WHERE account.connection_id = %(connection)s
       AND account.inactive_reason IS NULL
       AND (account.sync_enabled OR %(also_unsynced)s)
       AND NOT EXISTS (SELECT FROM accounts_accountaccess access
                        WHERE access.account_id = account.id AND access.connection_id = %(connection)s OFFSET 0)
), heir AS MATERIALIZED (
    SELECT DISTINCT ON (access.account_id) access.account_id, access.connection_id
      FROM orphan
     CROSS JOIN LATERAL (
           SELECT * FROM accounts_accountaccess present WHERE present.account_id = orphan.id OFFSET 0) access
      JOIN tokens_connection holder ON holder.id = access.connection_id
     WHERE access.connection_id <> %(connection)s
     ORDER BY access.account_id, (holder.state = 'active' AND holder.client_id = %(client)s) DESC,
              access.since, access.connection_id
), moved AS (
    UPDATE user_accounts account
       SET connection_id = heir.connection_id, updated_at = statement_timestamp()
      FROM heir
     WHERE account.id = heir.account_id
    RETURNING account.connection_id
), lost AS (
    UPDATE user_accounts account
       SET status = 'inactive', inactive_reason = 'not_visible', updated_at = statement_timestamp()
      FROM orphan
     WHERE account.id = orphan.id
       AND orphan.id NOT IN (SELECT account_id FROM heir)
       AND account.inactive_reason IS NULL
    RETURNING account.id
)
SELECT ARRAY(SELECT id FROM lost), ARRAY(SELECT DISTINCT connection_id FROM moved)
"""

# An account that stood on profiles, and is gone because ads accounts that were here before it now name them (otherwise
# one would have adopted it): what people said of it goes on with these, where they have said nothing else.
INHERIT_LABELS: Final = """
WITH told AS (
    SELECT heir.id, jsonb_object_agg(label.key, label.value ORDER BY lone.first_seen_at DESC, lone.id) AS labels
      FROM user_accounts lone
     CROSS JOIN LATERAL jsonb_each(lone.labels) label
      JOIN accounts_profile lost ON lost.account_id = lone.id
      JOIN accounts_profile named ON named.profile_id = lost.profile_id
      JOIN user_accounts heir ON heir.id = named.account_id AND heir.user_id = lone.user_id
     WHERE lone.id = ANY (%(accounts)s) AND lone.source = 'profiles'
       AND heir.source = 'ads_accounts' AND heir.inactive_reason IS NULL
     GROUP BY heir.id
)
UPDATE user_accounts heir
   SET labels = told.labels || heir.labels, updated_at = statement_timestamp()
  FROM told
 WHERE heir.id = told.id AND NOT heir.labels @> (told.labels || heir.labels)
   AND (SELECT count(*) FROM jsonb_object_keys(told.labels || heir.labels)) <= %(most_labels)s
"""

# Accounts of a login that Amazon refuses go to another login that sees them and works; the others stay with it.
HAND_OVER_TO_LIVE: Final = """
WITH moved AS (
    UPDATE user_accounts account
       SET connection_id = heir.connection_id, updated_at = statement_timestamp()
      FROM (SELECT DISTINCT ON (access.account_id) access.account_id, access.connection_id
              FROM user_accounts orphan
             CROSS JOIN LATERAL (
                   SELECT * FROM accounts_accountaccess present WHERE present.account_id = orphan.id OFFSET 0) access
              JOIN tokens_connection holder ON holder.id = access.connection_id
             WHERE orphan.connection_id = %(connection)s AND orphan.inactive_reason IS NULL
               AND access.connection_id <> %(connection)s
               AND holder.state = 'active' AND holder.client_id = %(client)s
             ORDER BY access.account_id, access.since, access.connection_id) heir
     WHERE account.id = heir.account_id
    RETURNING account.connection_id
)
SELECT ARRAY(SELECT DISTINCT connection_id FROM moved)
"""

# Which list tells when two show the same account.
WEIGHTS: Final = [
    str(source)
    for source in (
        Account.Source.ADS_ACCOUNTS,
        Account.Source.PROFILES,
        Account.Source.DSP_ADVERTISERS,
        Account.Source.MANAGER_ACCOUNTS,
    )
]


@dataclass(frozen=True)
class Taken:
    """What a run took away, by list: access rows that went, and those that wait for a second walk to agree.

    `heirs` are the connections to which accounts went that this one does not see any more.
    """

    gone: Mapping[str, int]
    unconfirmed: Mapping[str, int]
    heirs: Sequence[UUID]


# How the planner is helped. It knows nothing true of the staging tables, which are filled and emptied all day, and
# would join ten thousand rows with ten thousand others one by one, taking them for a few. So a chunk comes out of a
# function that says how large it is; what concerns a whole run is joined by hashing; and tables that may be large are
# looked up row by row: a LATERAL with OFFSET leaves no other way, and with one key alone in it, no other index. (Of a
# table that has just been filled the planner knows as little.) Nothing of ours is worth compiling.
PLANNED: Final = "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = off"
PLANNED_BY_INDEX: Final = (
    "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = on;"
    " SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_mergejoin = off"
)


class Store:
    """The stored picture of one connection, as one run rewrites it."""

    def __init__(self, claim: RunClaim) -> None:
        self.claim = claim
        # Where the absence of a profile, or of what a manager account had to say, means that it is not there.
        self.complete_regions: list[str] = []
        self.complete_manager_regions: list[str] = []
        # Lists walked to their end, as access rows remember them.
        self.walked: list[str] = []
        self._is_marked = False
        self._has_nameless = False
        self._may_adopt: bool | None = None

    def stage_accounts(
        self, walk: Listing, accounts: Sequence[StagedAccount], *, to_combine: bool = False
    ) -> list[Rejected]:
        """Stage accounts in the order they came; return those that the database does not take.

        `to_combine`: they are parts of accounts, which `stage_manager_accounts` puts together.
        """
        positions = count(-len(accounts)) if to_combine else count(walk.staged + 1)
        rows = [
            self._row(walk.number, position, account)
            for position, account in zip(positions, accounts, strict=False)
        ]
        refused = self._copy_accounts(rows)
        if not to_combine:
            walk.staged += len(rows)
        return [Rejected(accounts[index].amazon_account_id, reason) for index, reason in refused]

    def stage_as_shown(self, walk: Listing, scopes: Mapping[str, Iterable[str]]) -> None:
        """Note the lists that show accounts, by their ids, although they cannot be stored: so they are not gone."""
        shown = [
            StagedAccount(key, Account.Source(walk.source), sorted(seen_in), "", None, Account.Status.ACTIVE)
            for key, seen_in in scopes.items()
            if 0 < len(key.encode()) <= MOST_ID_BYTES
        ]
        self._copy_accounts([self._row(walk.number, 0, account) for account in shown])

    def _row(self, walk: int, position: int, account: StagedAccount) -> tuple[Any, ...]:
        return (self.claim.run_id, walk, position, *_account_values(account))

    def _copy_accounts(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, str]]:
        self._mark()
        return _copy(
            self.claim, "accounts_staged_account", ("run_id", "walk", "position", *ACCOUNT_COLUMNS), rows
        )

    def _mark(self) -> None:
        """Stage a row of no account before all others. When it is gone, so is what was staged after it."""
        if not self._is_marked:
            self._is_marked = True
            mark = StagedAccount("mark", Account.Source.ADS_ACCOUNTS, [], "", None, Account.Status.ACTIVE)
            self._copy_accounts([self._row(MARK, 0, mark)])

    def stage_profiles(self, walk: Listing, profiles: Sequence[StagedProfile]) -> list[Rejected]:
        rows = [(self.claim.run_id, walk.number, *_profile_values(profile)) for profile in profiles]
        self._mark()
        refused = _copy(self.claim, "accounts_staged_profile", ("run_id", "walk", *PROFILE_COLUMNS), rows)
        self._has_nameless = self._has_nameless or not all(profile.entity_id for profile in profiles)
        return [Rejected(profiles[index].profile_id, reason) for index, reason in refused]

    def merge(self, walk: Listing, *, upto: int) -> Merged:
        """Merge what was staged in this walk up to there. Rows that cannot be stored are named, the others stored."""
        merged = self._merge(walk, walk.merged, upto)
        walk.merged = upto
        return merged

    def _merge(self, walk: Listing, after: int, upto: int) -> Merged:
        try:
            return _again_after_deadlock(lambda: self._merge_once(walk, after, upto))
        except (DataError, IntegrityError, OperationalError) as error:
            if not _is_about_data(error):
                raise
            if upto - after == 1:
                return Merged(rejected=(Rejected(self._key_at(walk, upto), _reason(error)),))
        middle = (after + upto) // 2
        return self._merge(walk, after, middle) + self._merge(walk, middle, upto)

    def _merge_once(self, walk: Listing, after: int, upto: int) -> Merged:
        parameters = self._parameters(walk=walk.number, after=after, upto=upto)
        with fenced(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED_BY_INDEX)
            if walk.is_list and self._sees_lone(cursor):
                cursor.execute(ADOPT, parameters)
            cursor.execute(MERGE, parameters)
            created, changed, seen = cursor.fetchone()
        return Merged(created, changed, seen - created - changed)

    def _sees_lone(self, cursor: CursorWrapper) -> bool:
        if self._may_adopt is None:
            scopes = [f"{Account.Source.PROFILES}:{region}" for region in Region.values]
            cursor.execute(SEES_LONE, self._parameters(profile_scopes=scopes))
            self._may_adopt = cursor.fetchone() == (True,)
        return self._may_adopt

    def stage_profile_accounts(self, walks: Sequence[Listing], *, list_is_complete: bool) -> None:
        """Stage the accounts that only profiles show, each in the walk of its first region.

        A list that misses too much to be believed does not make profiles stand alone.
        """
        by_number = {walk.number: walk for walk in walks}
        with held(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED)
            parameters = self._parameters(list_is_complete=list_is_complete)
            cursor.execute(STAGE_PROFILE_ACCOUNTS, parameters)
            _count_staged(cursor, by_number)
            if not self._has_nameless:
                return
            cursor.execute(NAMELESS_PROFILES, parameters)
            for number, profile_id, scope, account_id in cursor.fetchall():
                by_number[number].reject(
                    [
                        Rejected(
                            profile_id, "It does not say whose profile it is: its `accountInfo.id` is empty."
                        )
                    ]
                )
                if account_id is not None:
                    self.stage_as_shown(by_number[number], {account_id: [scope]})

    def stage_manager_accounts(self, walks: Sequence[Listing]) -> None:
        """Put what the regions say of each manager account together, each in the walk of its first region."""
        with held(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(STAGE_MANAGER_ACCOUNTS, self._parameters())
            _count_staged(cursor, {walk.number: walk for walk in walks})

    def merge_links(self) -> None:
        """Store which manager account manages which accounts."""
        with fenced(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED_BY_INDEX)
            cursor.execute(MERGE_LINKS, self._parameters())

    def scopes(self) -> list[str]:
        """The lists that show accounts to this connection, as its access rows remember them."""
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT unnest(seen_in) FROM accounts_accountaccess WHERE connection_id = %s",
                [self.claim.connection_id],
            )
            return [scope for (scope,) in cursor.fetchall()]

    def count_accounts(self) -> Mapping[int, int]:
        """How many accounts each walk showed, by its number. Pages and lists may show one more than once."""
        with database.cursor() as cursor:
            cursor.execute(COUNT_ACCOUNTS, self._parameters())
            return dict(cursor.fetchall())

    def take_away(self, *, with_rejected: bool) -> Taken:
        """Take away what the lists that were walked to their end do not show any more.

        `with_rejected`: some of what they show could not be stored.
        """
        parameters = self._parameters(also_unsynced=False)
        with fenced(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED)
            cursor.execute(TAKE_AWAY, parameters)
            counts: dict[str, dict[str, int]] = {"taken": {}, "marked": {}, "fewer": {}}
            with_fewer: list[Any] = []
            for what, scope, count, accounts in cursor.fetchall():
                counts[what][scope] = count
                with_fewer += accounts or []
            if with_rejected:
                cursor.execute(SEEN_AGAIN, parameters)
            cursor.execute(PLANNED_BY_INDEX)
            if with_fewer:
                cursor.execute(REPARENT, {**parameters, "accounts": with_fewer})
            cursor.execute(HAND_OVER, parameters)
            lost, heirs = cursor.fetchone()
            if lost:
                cursor.execute(INHERIT_LABELS, {**parameters, "accounts": lost, "most_labels": MOST_LABELS})
        return Taken(gone=counts["taken"], unconfirmed=counts["marked"], heirs=heirs)

    def _check_mark(self, cursor: CursorWrapper) -> None:
        """Make sure that the database has not crashed since the run began: then an unlogged table is empty."""
        cursor.execute(
            "SELECT EXISTS (SELECT FROM accounts_staged_account WHERE run_id = %s AND walk = %s AND position = 0)",
            [self.claim.run_id, MARK],
        )
        if cursor.fetchone() != (self._is_marked,):
            raise StagingLost

    def _parameters(self, **more: Any) -> Mapping[str, Any]:
        return {
            "run": self.claim.run_id,
            "started_at": self.claim.started_at,
            "connection": self.claim.connection_id,
            "client": self.claim.client_id,
            "user": self.claim.owner_id,
            "complete_regions": self.complete_regions,
            "complete_manager_regions": self.complete_manager_regions,
            "walked": self.walked,
            "weights": WEIGHTS,
            **more,
        }

    def _key_at(self, walk: Listing, position: int) -> str:
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT amazon_account_id FROM accounts_staged_account"
                " WHERE run_id = %s AND walk = %s AND position = %s",
                [self.claim.run_id, walk.number, position],
            )
            found = cursor.fetchone()
        return found[0] if found else f"item {position}"


def _count_staged(cursor: CursorWrapper, walks: Mapping[int, Listing]) -> None:
    """Note how many rows a statement has staged in each walk."""
    for number, found in Counter(number for (number,) in cursor.fetchall()).items():
        walks[number].staged = found


def _again_after_deadlock(function: Callable[[], Result]) -> Result:
    """Others, such as a batch operation, write accounts in an order of their own."""
    for tries in range(1, MOST_TRIES + 1):
        try:
            return function()
        except OperationalError as error:
            if _sqlstate(error) not in {"40P01", "40001"} or tries == MOST_TRIES:
                raise
    raise AssertionError
