"""Deleting entries of the audit trail that are older than AUDIT_RETENTION_DAYS, so that the rest can be checked."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import connection

from amazon_accounts.postgresql.clock import database_now
from tokens.models import AuditCheckpoint, AuditEntry, AuditLink
from tokens.people.audit.chain import Place, compute_seal, read_end
from tokens.people.audit.keys import take_key
from tokens.people.audit.locks import BEGINNING, CHAIN, locked
from tokens.people.audit.verification import BrokenTrailError, Keys, check_beginning, check_link, read_links

logger = logging.getLogger(__name__)

BATCH_SIZE = 1_000


def prune_trail(*, batch_size: int = BATCH_SIZE) -> int:
    """Delete what is old at the beginning of the chain; return how many entries were deleted.

    Each entry is checked before it is deleted. A broken chain is left as it is, because it is the evidence.
    """
    deleted = 0
    while number := _prune_some(batch_size):
        deleted += number
    if deleted:
        logger.info("Pruned %d entries of the audit trail.", deleted)
    return deleted


def _prune_some(limit: int) -> int:
    before = database_now() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    with locked(BEGINNING):
        old, keys = [], Keys()
        try:
            place = check_beginning(keys)
            up_to = min(place.number + limit, read_end().number)
            for link, entry in read_links(place.number, up_to):
                if entry is not None and entry["at"] >= before:
                    break
                place = check_link(keys, place, link, entry)
                old.append(link[3])
        except BrokenTrailError as error:
            # Without a traceback: the text says all.
            logger.error("Nothing of the audit trail was pruned. %s", error)  # noqa: TRY400
            return 0
        if old:
            with locked(CHAIN):
                _seal(place)
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('amazon_accounts.prune_audit', 'on', true)")
            AuditEntry.objects.filter(pk__in=old).delete()
            AuditLink.objects.filter(pk__in=old).delete()
    return len(old)


def _seal(place: Place) -> None:
    key_id, key = take_key()
    AuditCheckpoint.objects.update_or_create(
        defaults={
            "number": place.number,
            "digest": place.digest,
            "key_id": key_id,
            "seal": compute_seal(key, place),
        }
    )
