"""Actions on marked rows. Each starts a batch operation, as the pages and the API do."""

from http import HTTPStatus
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from accounts.batch import start_batch_of
from accounts.batch.operations import OFFERED, Operation
from accounts.batch.rows import ACCOUNTS, CONNECTIONS, Rows
from dashboard.admin.read_only import VisibleRowsAdmin
from dashboard.forms import OptionsForm, make_form
from dashboard.frame.page import INVALID_FORM
from tokens.permissions import may

Answer = HttpResponse | None


class BatchActions(VisibleRowsAdmin):
    rows: ClassVar[Rows]

    def may_do(self, request: HttpRequest, operation: Operation) -> bool:
        return may(request.user, OFFERED[self.rows.subject][operation])

    def ask_and_start(
        self, request: HttpRequest, action: str, operation: Operation, chosen: QuerySet[Any]
    ) -> Answer:
        """Ask for the options of the operation, or whether to do it at all, and start it then."""
        is_confirmed = "apply" in request.POST
        form = make_form(
            self.rows, operation, cast("User", request.user), request.POST if is_confirmed else None
        )
        if not is_confirmed or (form is not None and not form.is_valid()):
            return self._ask(request, action, operation, chosen, form)
        return self.start(request, operation, chosen, form.options if form else None)

    def start(
        self,
        request: HttpRequest,
        operation: Operation,
        chosen: QuerySet[Any],
        options: dict[str, Any] | None = None,
    ) -> Answer:
        try:
            ids = list(chosen.order_by().values_list("pk", flat=True))
            batch = start_batch_of(self.rows, cast("User", request.user), operation, ids=ids, options=options)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return None
        return redirect("operation", batch.pk)

    def _ask(
        self,
        request: HttpRequest,
        action: str,
        operation: Operation,
        chosen: QuerySet[Any],
        form: OptionsForm | None,
    ) -> HttpResponse:
        # The page posts to the changelist again, with `apply`.
        number = chosen.count()
        subject = str(self.rows.subject)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{operation.verb.capitalize()} {subject}",
            "action": action,
            "form": form,
            "on": subject,
            "operation": operation,
            "number": number,
            "things": f"{number:,} {subject if number != 1 else subject.removesuffix('s')}",
            "changelist": f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist",
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        }
        status = INVALID_FORM if form and form.errors else HTTPStatus.OK
        return TemplateResponse(request, "dashboard/admin/action_page.html", context, status=status)


class AccountActions(BatchActions):
    rows = ACCOUNTS
    actions = ["sync", "update_labels", "disconnect", "reconnect"]

    @admin.action(description="Sync", permissions=["sync"])
    def sync(self, request: HttpRequest, accounts: QuerySet[Any]) -> Answer:
        return self.start(request, Operation.SYNC, accounts)

    @admin.action(description="Update labels", permissions=["update"])
    def update_labels(self, request: HttpRequest, accounts: QuerySet[Any]) -> Answer:
        return self.ask_and_start(request, "update_labels", Operation.UPDATE, accounts)

    @admin.action(description="Disconnect", permissions=["disconnect"])
    def disconnect(self, request: HttpRequest, accounts: QuerySet[Any]) -> Answer:
        return self.ask_and_start(request, "disconnect", Operation.DISCONNECT, accounts)

    @admin.action(description="Reconnect", permissions=["disconnect"])
    def reconnect(self, request: HttpRequest, accounts: QuerySet[Any]) -> Answer:
        return self.start(request, Operation.RECONNECT, accounts)

    def has_sync_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.SYNC)

    def has_disconnect_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.DISCONNECT)

    def has_update_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.UPDATE)


class ConnectionActions(BatchActions):
    rows = CONNECTIONS
    actions = [
        "sync",
        "refresh",
        "update_labels",
        "pause",
        "resume",
        "move",
        "send_renewal_links",
        "disconnect",
    ]

    @admin.action(description="Sync now", permissions=["sync"])
    def sync(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.start(request, Operation.SYNC, connections)

    @admin.action(description="Refresh token", permissions=["refresh"])
    def refresh(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.start(request, Operation.REFRESH, connections)

    @admin.action(description="Update labels", permissions=["update"])
    def update_labels(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.ask_and_start(request, "update_labels", Operation.UPDATE, connections)

    @admin.action(description="Pause", permissions=["update"])
    def pause(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.start(request, Operation.PAUSE, connections)

    @admin.action(description="Resume", permissions=["update"])
    def resume(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.start(request, Operation.RESUME, connections)

    @admin.action(description="Move to another team", permissions=["move"])
    def move(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.ask_and_start(request, "move", Operation.MOVE, connections)

    @admin.action(description="Send renewal links", permissions=["update"])
    def send_renewal_links(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.ask_and_start(request, "send_renewal_links", Operation.SEND_RENEWAL_LINKS, connections)

    @admin.action(description="Disconnect", permissions=["disconnect"])
    def disconnect(self, request: HttpRequest, connections: QuerySet[Any]) -> Answer:
        return self.ask_and_start(request, "disconnect", Operation.DISCONNECT, connections)

    def has_sync_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.SYNC)

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.REFRESH)

    def has_update_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.UPDATE)

    def has_move_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.MOVE)

    def has_disconnect_permission(self, request: HttpRequest) -> bool:
        return self.may_do(request, Operation.DISCONNECT)
