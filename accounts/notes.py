"""Writing notes on accounts and connections, and deleting them."""

from typing import Any, Final

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts.models import Account, Note
from accounts.models.note import MAX_NOTE_LENGTH
from amazon_accounts.amazon_ads.foreign_text import has_token
from amazon_accounts.visible_text import UNPRINTABLE
from tokens.models import Connection
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person, may, require

WRITE: Final = "accounts.update_account"
# Who may delete the notes of others.
DELETE_ALL: Final = "tokens.disconnect_connection"


@transaction.atomic
def add_note(user: User | System, subject: Account | Connection, text: Any) -> Note:
    """Write a note on an account or connection. Raises PermissionDenied and ValidationError."""
    require(user, WRITE, subject)
    cleaned = clean_text(text)
    on = {"account": subject} if isinstance(subject, Account) else {"connection": subject}
    note = Note.objects.create(author=get_person(user), text=cleaned, **on)
    note.refresh_from_db(fields=["created_at"])
    # The text may name people, and the trail keeps what it has.
    record_audit(user, Action.NOTE_ADD, subject, after={"note": str(note.pk)})
    return note


@transaction.atomic
def delete_note(user: User | System, note: Note) -> None:
    """Delete a note; one of another person only as an administrator. Raises PermissionDenied."""
    subject = note.subject
    require(user, WRITE, subject)
    if not may_delete(user, note):
        raise PermissionDenied("Only its author and administrators may delete a note.")
    if Note.objects.filter(pk=note.pk).delete()[0]:
        record_audit(user, Action.NOTE_DELETE, subject, before={"note": str(note.pk)})


def may_delete(user: User | System, note: Note) -> bool:
    person = get_person(user)
    is_own = person is not None and note.author_id == person.pk
    return may(user, WRITE, note.subject) and (is_own or may(user, DELETE_ALL, note.subject))


def clean_text(text: Any) -> str:
    """Return the text with plain line breaks. Raises ValidationError."""
    if not isinstance(text, str):
        raise ValidationError({"text": "It must be a text."})
    cleaned = "\n".join(line.rstrip() for line in text.splitlines()).strip()
    if not 0 < len(cleaned) <= MAX_NOTE_LENGTH:
        raise ValidationError({"text": f"It must have 1 to {MAX_NOTE_LENGTH:,} characters."})
    if UNPRINTABLE.search(cleaned.replace("\n", "").replace("\t", "")):
        raise ValidationError({"text": "It must have no control characters."})
    if has_token(cleaned):
        raise ValidationError({"text": "It has a token of Amazon in it. A token belongs into no note."})
    return cleaned
