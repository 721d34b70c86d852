"""What all admin classes share: they are quick on big tables, and nobody can change a history."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from dashboard.status import Status, Tone

# Unfold's names for the five tones.
LABELS: dict[Tone, str | None] = {
    "good": "success",
    "attention": "warning",
    "bad": "danger",
    "busy": "info",
    "off": None,
}


def color_states(states: Mapping[str, Status]) -> dict[str, str | None]:
    return {state: LABELS[status.tone] for state, status in states.items()}


class BigTableAdmin(ModelAdmin):
    """A changelist that never counts the whole table."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    list_filter_submit = True
    list_per_page = 25

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        # Django fails with 500 if a marked value cannot be the key of a row.
        key: models.Field[Any, Any] = self.model._meta.pk
        try:
            for marked in request.POST.getlist(ACTION_CHECKBOX_NAME):
                key.to_python(marked)
        except ValidationError:
            self.message_user(request, "Nothing was done: a marked row is not in this list.", messages.ERROR)
            return None
        response: HttpResponseBase | None = super().response_action(request, queryset)
        return response


class ReadOnlyAdmin(BigTableAdmin):
    """Rows that the system writes and that people only read."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False


class VisibleRowsAdmin(ReadOnlyAdmin):
    """A person sees the rows that `visible_to` gives them."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).visible_to(request.user)
        return rows


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False
    max_num = 0
    show_change_link = False
    ordering: Sequence[str] = ("pk",)

    def has_add_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        return False

    def has_view_permission(self, _request: HttpRequest, _obj: models.Model | None = None) -> bool:
        # Only people who may see the row itself get this far.
        return True
