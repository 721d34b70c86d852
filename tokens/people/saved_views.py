"""Lists of accounts under a name, a person's own or shared with a team."""

from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from amazon_accounts.visible_text import UNPRINTABLE
from tokens.models import SavedView, Team
from tokens.models.saved_view import MAX_NAME_LENGTH, MAX_QUERY_LENGTH
from tokens.people.audit import Action, record_audit
from tokens.permissions import require

# What a person needs for a view of their own, and in a team for one that the team shares.
KEEP: Final = "accounts.view_account"
SHARE: Final = "accounts.update_account"
# Of one person, and of one team.
MAX_VIEWS: Final = 100


@transaction.atomic
def save_view(user: User, *, name: str, query: str, team: Team | None = None) -> SavedView:
    """Keep the query under the name; a view of the same person or team with this name gets the new query.

    Raises PermissionDenied and ValidationError.
    """
    require(user, SHARE if team else KEEP, team)
    name = _clean_name(name)
    if len(query) > MAX_QUERY_LENGTH:
        raise ValidationError(f"These filters have more than {MAX_QUERY_LENGTH:,} characters.")
    owned = SavedView.objects.filter(team=team) if team else SavedView.objects.filter(user=user.pk)
    view = owned.select_for_update().filter(name=name).first()
    if view is None:
        if owned.count() >= MAX_VIEWS:
            raise ValidationError(f"There are {MAX_VIEWS} views already. Remove one first.")
        try:
            with transaction.atomic():
                view = SavedView.objects.create(
                    user_id=None if team else user.pk, team=team, name=name, query=query
                )
        except IntegrityError:
            raise ValidationError("A view with this name was saved at the same moment. Try again.") from None
    elif view.query != query:
        view.query = query
        view.save(update_fields=["query"])
    # The filters may name accounts.
    record_audit(user, Action.VIEW_SAVE, view)
    return view


@transaction.atomic
def change_view(
    user: User, view: SavedView, *, name: str | None = None, query: str | None = None
) -> SavedView:
    """Give the view another name or query, for everybody who has it. Raises PermissionDenied and ValidationError."""
    if view.team is None and view.user_id != user.pk:
        raise PermissionDenied(SHARE)
    require(user, SHARE if view.team else KEEP, view.team)
    view.name = view.name if name is None else _clean_name(name)
    view.query = view.query if query is None else query
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "query"])
    except IntegrityError:
        raise ValidationError({"name": "There is a view with this name."}) from None
    record_audit(user, Action.VIEW_SAVE, view)
    return view


@transaction.atomic
def remove_view(user: User, view: SavedView) -> bool:
    """Remove the view for everybody who has it; return False if it is gone. Raises PermissionDenied."""
    if view.team is None and view.user_id != user.pk:
        raise PermissionDenied(SHARE)
    require(user, SHARE if view.team else KEEP, view.team)
    removed, _ = SavedView.objects.filter(pk=view.pk).delete()
    if removed:
        record_audit(user, Action.VIEW_REMOVE, view)
    return bool(removed)


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise ValidationError("Give the view a name.")
    if len(name) > MAX_NAME_LENGTH:
        raise ValidationError(f"The name has more than {MAX_NAME_LENGTH} characters.")
    if UNPRINTABLE.search(name):
        raise ValidationError("The name has a character in it that cannot be shown.")
    return name
