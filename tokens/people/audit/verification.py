"""Checking the audit trail: which entry was changed or removed first."""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from django.db.models import Exists, OuterRef

from tokens.encryption import DecryptionError
from tokens.models import AuditCheckpoint, AuditEntry, AuditLink
from tokens.people.audit.chain import (
    BATCH_SIZE,
    Place,
    chain_entries,
    compute_digest,
    compute_seal,
    read_beginning,
    read_entries,
)
from tokens.people.audit.keys import read_key
from tokens.people.audit.locks import BEGINNING, locked

Link = tuple[int, bytes, UUID, UUID]
ADDED: Final = "was added past the console, or its link was removed"


class BrokenTrailError(Exception):
    """The audit trail is not as it was written. The text names the first entry that was changed or removed."""


@dataclass(frozen=True)
class Checked:
    """What was checked: the places before the first and of the last link."""

    beginning: Place
    end: Place


class Keys(dict[UUID, bytes]):
    """The keys of the chain, each read once."""

    def __missing__(self, key_id: UUID) -> bytes:
        try:
            key = self[key_id] = read_key(key_id)
        except DecryptionError as error:
            raise BrokenTrailError(f"Nothing can be checked without a key of the chain. {error}") from error
        return key


def verify_trail(*, noted: Place | None = None, batch_size: int = BATCH_SIZE) -> Checked:
    """Chain what waits, and check every entry. Raises BrokenTrailError.

    `noted` is a place that somebody has noted elsewhere. It must be in the chain, because nothing else shows that the
    end of the chain was cut off.
    """
    end = chain_entries()
    keys = Keys()
    with locked(BEGINNING):
        place = beginning = check_beginning(keys)
        for link, entry in read_links(beginning.number, end.number, batch_size):
            place = check_link(keys, place, link, entry)
            if noted is not None and place.number == noted.number and place.digest != noted.digest:
                raise BrokenTrailError(
                    f"Number {noted.number} has another digest than the one that was noted."
                )
        if place.number != end.number:
            raise BrokenTrailError(f"Number {place.number + 1} was removed.")
        if noted is not None and noted.number > end.number:
            raise BrokenTrailError(f"Number {end.number + 1} was removed: number {noted.number} was noted.")
        _check_links_of_entries()
    return Checked(beginning, end)


def check_beginning(keys: Keys) -> Place:
    """Return the place before the first link, if the seal of the checkpoint is right. Raises BrokenTrailError."""
    checkpoint = AuditCheckpoint.objects.first()
    if checkpoint is None:
        return Place()
    beginning = read_beginning()
    if not hmac.compare_digest(compute_seal(keys[checkpoint.key_id], beginning), bytes(checkpoint.seal)):
        raise BrokenTrailError(f"The checkpoint before number {beginning.number + 1} was changed.")
    return beginning


def read_links(
    after: int, up_to: int, batch_size: int = BATCH_SIZE
) -> Iterator[tuple[Link, dict[str, Any] | None]]:
    """Yield the links in order, each with its entry, or None if the entry is gone."""
    while True:
        links = AuditLink.objects.filter(number__gt=after, number__lte=up_to).order_by("number")
        # A constraint says that a link with a number has everything else.
        rows = cast(
            "Iterable[Link]", links.values_list("number", "digest", "key_id", "entry_id")[:batch_size]
        )
        batch = list(rows)
        entries = read_entries(entry_id for *_, entry_id in batch)
        for number, digest, key_id, entry_id in batch:
            yield (number, bytes(digest), key_id, entry_id), entries.get(entry_id)
        if len(batch) < batch_size:
            return
        after = batch[-1][0]


def check_link(keys: Keys, previous: Place, link: Link, entry: dict[str, Any] | None) -> Place:
    """Return the place of the link. Raises BrokenTrailError if the link or its entry is not what was chained."""
    number, digest, key_id, entry_id = link
    if number != previous.number + 1:
        raise BrokenTrailError(f"Number {previous.number + 1} was removed.")
    if entry is None:
        raise BrokenTrailError(f"Number {number} was removed: the entry {entry_id}.")
    if not hmac.compare_digest(compute_digest(keys[key_id], previous, entry), digest):
        raise BrokenTrailError(f"Number {number} was changed: the entry {entry_id}.")
    return Place(number, digest)


def _check_links_of_entries() -> None:
    linked = Exists(AuditLink.objects.filter(entry_id=OuterRef("pk")))
    if (
        added := AuditEntry.objects.filter(~linked).order_by("pk").values_list("pk", flat=True).first()
    ) is not None:
        raise BrokenTrailError(f"The entry {added} {ADDED}.")
    kept = Exists(AuditEntry.objects.filter(pk=OuterRef("entry_id")))
    waiting = AuditLink.objects.filter(~kept, number=None).order_by("entry_id")
    if (removed := waiting.values_list("entry_id", flat=True).first()) is not None:
        raise BrokenTrailError(f"The entry {removed} was removed before it was chained.")
