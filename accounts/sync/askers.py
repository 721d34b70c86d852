"""Whether who asked for a sync may still have it when it begins."""

from typing import Final

from accounts.models import SyncRun
from tokens.models import AuditEntry
from tokens.people.audit import Action, record_audit
from tokens.people.audit.origin import Origin, come_from
from tokens.people.keys import find_actor
from tokens.permissions import may

SYNC: Final = "accounts.sync_account"
LOST_RIGHT: Final = "Who asked for this sync may not sync this connection any more."


def refuse_lost_right(run: SyncRun) -> bool:
    """Return whether the sync must not begin, and record it then, in the transaction of the caller.

    A sync that others wait for, too, goes on.
    """
    if not run.checks_asker or run.requested_by is None:
        return False
    asker = find_actor(run.requested_by.pk, run.asked_by_key)
    if asker is not None and may(asker, SYNC, run.connection):
        return False
    with come_from(Origin(key_id=str(run.asked_by_key or ""))):
        record_audit(
            run.requested_by,
            Action.CONNECTION_SYNC,
            run.connection,
            after={"run": str(run.pk), "reason": LOST_RIGHT},
            outcome=AuditEntry.Outcome.REFUSED,
        )
    return True
