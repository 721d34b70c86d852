"""Erasing people in the admin, also in place of deleting somebody whom the history names."""

from http import HTTPStatus
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action

from dashboard.admin.read_only import ReadOnlyAdmin
from dashboard.frame.page import INVALID_FORM, ConsoleRequest, SeeOther, page
from tokens.models import ErasedPerson
from tokens.people.erase import (
    ErasureRefusedError,
    StillOwnsError,
    check_erasure,
    choose_name,
    count_belongings,
    erase_person,
    find_connected,
    has_history,
    is_erased,
)


class HandOverForm(forms.Form):
    heir = forms.ModelChoiceField(
        label="Hand the connections over to",
        queryset=User.objects.none(),
        empty_label="Choose a person",
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    def __init__(self, person: User, data: Any = None) -> None:
        super().__init__(data)
        field = cast("forms.ModelChoiceField[User]", self.fields["heir"])
        field.queryset = User.objects.filter(is_active=True).exclude(pk=person.pk).order_by("username")


class ErasingAdmin(ModelAdmin):
    """The actions `erase`, of the list, and `erase_person`, of one person; and what deleting says about them."""

    def has_erase_permission(self, request: HttpRequest, _person_id: str | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    # Nobody gives an erased person a name again.

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not is_erased(obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not is_erased(obj))

    @admin.action(description="Erase", permissions=["erase"])
    def erase(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        if people.count() != 1:
            self.message_user(request, "Choose one person: an erasure cannot be undone.", messages.ERROR)
            return None
        return redirect("admin:auth_user_erase_person", people.get().pk)

    @action(description="Erase", url_path="erase", permissions=["erase"])
    def erase_person(self, request: ConsoleRequest, object_id: str) -> HttpResponse:
        person = self.get_object(request, object_id)
        if person is None:
            raise Http404
        back = reverse("admin:auth_user_change", args=[person.pk])
        connected = find_connected(person).only("pk", "label")
        is_sent = request.method == "POST"
        form = HandOverForm(person, request.POST if is_sent else None) if connected else None
        may_erase, refusal = _check(cast("User", request.user), person)
        if may_erase and is_sent and (form is None or form.is_valid()):
            try:
                erase_person(
                    cast("User", request.user), person, heir=form.cleaned_data["heir"] if form else None
                )
            except ErasureRefusedError as error:
                refusal = str(error)
            else:
                # For the admin's own log: the operation has written the entry of the audit trail.
                admin.ModelAdmin.log_change(self, request, person, "Erased.")
                messages.success(request, f"The person is erased, and is called {person} now.")
                return SeeOther(back)
        context = {
            "person": person,
            "new_name": choose_name(person),
            "erasure": ErasedPerson.objects.select_related("erased_by").filter(person=person).first(),
            "belongings": [(name, number) for name, number in count_belongings(person).items() if number],
            "connected": connected,
            "form": form,
            "refusal": refusal,
            "may_erase": may_erase,
            "back": back,
            "confirm_body": "dashboard/people/erase.html",
        }
        return page(
            request,
            "dashboard/frame/confirm_page.html",
            context,
            title="Erase a person",
            status=_choose_status(form, refusal if is_sent else ""),
        )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        person = self.get_object(request, object_id)
        if person is None or not self.has_delete_permission(request, person) or not has_history(person):
            return cast("HttpResponse", super().delete_view(request, object_id, extra_context))
        why = "The history names this person, so the person is not deleted."
        if self.has_erase_permission(request):
            messages.warning(request, f"{why} Erase the person instead.")
            return redirect("admin:auth_user_erase_person", person.pk)
        messages.error(request, f"{why} A superuser can erase the person instead.")
        return redirect("admin:auth_user_change", person.pk)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in found:
            # A tuple in Django 5.2; Django 6.1 has an object of its own, and takes both.
            description = "Delete selected %(verbose_name_plural)s"
            found["delete_selected"] = (_delete_unless_in_history, "delete_selected", description)
        return found


def _choose_status(form: HandOverForm | None, refusal: str) -> HTTPStatus:
    if refusal:
        return HTTPStatus.CONFLICT
    return INVALID_FORM if form and form.errors else HTTPStatus.OK


def _check(user: User, person: User) -> tuple[bool, str]:
    """Return whether the person can be erased, and why not."""
    try:
        return check_erasure(user, person), ""
    except StillOwnsError:
        # The page asks to whom the connections go.
        return True, ""
    except ErasureRefusedError as error:
        return False, str(error)


@admin.register(ErasedPerson)
class ErasedPersonAdmin(ReadOnlyAdmin):
    list_display = ["person", "erased_at", "erased_by"]
    list_select_related = ["person", "erased_by"]
    fields = list_display
    readonly_fields = fields
    search_fields = ["person__username"]
    ordering = ["-erased_at", "-person_id"]


def _delete_unless_in_history(
    model_admin: ModelAdmin, request: HttpRequest, people: QuerySet[User]
) -> HttpResponse | None:
    kept = [str(person) for person in people if has_history(person)]
    if not kept:
        return cast("HttpResponse | None", delete_selected(model_admin, request, people))
    named = ", ".join(kept)
    model_admin.message_user(
        request,
        f"Nobody was deleted. The history names these people: {named}. A superuser can erase them instead.",
        messages.ERROR,
    )
    return None
