"""What all admin classes share: they are quick on big tables, and nobody can change a history."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from django.contrib.admin import FieldListFilter, ShowFacets, SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.options import Options
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from dashboard.status import Status, Tone
from tokens.people.audit import AuditedObject, record_many

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
    # The fields whose values the audit trail has. Of the others it has the names.
    audited_fields: Sequence[str] = ()

    def lookup_allowed(self, lookup: str, _value: str, request: HttpRequest) -> bool:
        return lookup in self.linked_lookups or any(
            lookup in self._read_parameters(offered, request) for offered in self.get_list_filter(request)
        )

    def _get_obj_does_not_exist_redirect(
        self, _request: HttpRequest, _options: "Options[Any]", _object_id: str
    ) -> HttpResponseBase:
        # Django would lead to the index, with a message and without a line in the log.
        raise Http404

    # Django calls these methods for everything that somebody does in the admin, before it deletes and after it saves.

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        self.record(request, "make", [obj])
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        self.record(request, "update", [obj])
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[models.Model]) -> Any:
        self.record(request, "delete", queryset)
        return super().log_deletions(request, queryset)

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,
        formsets: Any,
        add: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        recorded = [name for name in form.changed_data if name in self.audited_fields and not add]
        vars(request)["audited_values"] = {
            "before": {name: _write_value(form.initial.get(name)) for name in recorded},
            "after": {name: _write_value(form.cleaned_data.get(name)) for name in recorded}
            | {"fields": sorted(form.changed_data)},
        }
        return super().construct_change_message(request, form, formsets, add)

    def record(self, request: HttpRequest, verb: str, rows: Iterable[models.Model]) -> None:
        values: dict[str, Any] = vars(request).pop("audited_values", {})
        objects = [AuditedObject.of(row) for row in rows]
        for audited in objects[:1]:
            action = self.choose_action(request, f"{audited.type}.{verb}")
            record_many(cast("User", request.user), action, objects, **values)

    def choose_action(self, _request: HttpRequest, action: str) -> str:
        return action

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], **options: Any
    ) -> HttpResponseBase | None:
        # What an action does is recorded in the same transaction.
        with transaction.atomic():
            response: HttpResponseBase | None = super().response_action(request, queryset, **options)
        return response

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


def _write_value(value: Any) -> Any:
    """Return a value of a form as the audit trail has it: rows by their names."""
    if isinstance(value, QuerySet | list | tuple):
        return sorted(str(each) for each in value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


class BigTableAdmin(StrictAdmin):
    """A changelist that never counts the whole table."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    list_filter_submit = True
    list_per_page = 25

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], **options: Any
    ) -> HttpResponseBase | None:
        # Django fails with 500 if a marked value cannot be the key of a row.
        key: models.Field[Any, Any] = self.model._meta.pk
        try:
            for marked in request.POST.getlist(ACTION_CHECKBOX_NAME):
                key.to_python(marked)
        except ValidationError:
            raise Http404 from None
        response: HttpResponseBase | None = super().response_action(request, queryset, **options)
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
