"""What all admin classes share: they are quick on big tables, and nobody can change a history."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.admin import FieldListFilter, ShowFacets, SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.db.models import QuerySet
from django.db.models.options import Options
from django.http import Http404, HttpRequest
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


class StrictAdmin(ModelAdmin):
    """An address that means nothing is refused: lookups that no filter offers with 400, unknown rows with 404.

    Django allows every lookup on the fields of the model. Who can compare a secret reads it character by character.
    """

    # What links of the console filter by.
    linked_lookups: Sequence[str] = ()

    def lookup_allowed(self, lookup: str, _value: str, request: HttpRequest) -> bool:
        return lookup in self.linked_lookups or any(
            lookup in self._read_parameters(offered, request) for offered in self.get_list_filter(request)
        )

    def _get_obj_does_not_exist_redirect(
        self, _request: HttpRequest, _options: "Options[Any]", _object_id: str
    ) -> HttpResponseBase:
        # Django would lead to the index, with a message and without a line in the log.
        raise Http404

    def _read_parameters(self, offered: Any, request: HttpRequest) -> Sequence[str | None]:
        if isinstance(offered, type) and issubclass(offered, SimpleListFilter):
            return [offered.parameter_name]
        path, kind = offered if isinstance(offered, tuple | list) else (offered, FieldListFilter.create)
        if not isinstance(path, str):
            raise ImproperlyConfigured(f"The filter {path} of {self} is not named for a field.")
        field = get_fields_from_path(self.model, path)[-1]
        parameters: Sequence[str | None] = kind(
            field, request, {}, self.model, self, field_path=path
        ).expected_parameters()
        return parameters


class BigTableAdmin(StrictAdmin):
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
            raise Http404 from None
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
