"""Batch operations: start one, follow it, cancel it, retry what failed, undo it."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import MAX_BODY_BYTES_OF_MANY_IDS
from accounts.api.representation import ReadOnlySerializer
from accounts.batch import cancel_batch, retry_batch, start_batch, undo_batch
from accounts.batch.operations import OFFERED, PERMISSIONS, Subject
from accounts.batch.rows import ACCOUNTS, Rows
from accounts.batch.waits import find_waits_of, join_waits
from accounts.errors import build_validation_error
from accounts.lists.parameters import AccountFilterSet
from accounts.models import BatchItem, BatchOperation
from accounts.models.batch import count_items
from amazon_accounts.labels import LABEL_NAME
from amazon_accounts.web.links import build_link
from amazon_accounts.web.problems import CONTENT_TOO_LARGE, NOT_FOUND, OPERATION_STATE, UNSUPPORTED_MEDIA_TYPE


class WaitSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="When the last sync that waits tries again.")
    reason = serializers.CharField(allow_blank=True)


class BatchSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    operation = Word(BatchOperation.Operation)
    state = Word(BatchOperation.State)
    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    wait = serializers.SerializerMethodField(
        help_text="The pause that Amazon asked for, while syncs of the operation wait for it."
    )

    def to_representation(self, instance: BatchOperation) -> dict[str, Any]:
        counts = instance.count_items()
        return super().to_representation(instance) | {
            outcome: counts[outcome] for outcome in ("succeeded", "failed", "skipped")
        }

    @extend_schema_field(WaitSerializer(allow_null=True))
    def get_wait(self, batch: BatchOperation) -> Any:
        wait = join_waits(find_waits_of(batch))
        return wait and WaitSerializer(wait).data


class _ListedBatches(serializers.ListSerializer[Any]):
    """Counts the items of all operations of a page at once."""

    def to_representation(self, data: Any) -> list[dict[str, Any]]:
        batches, row = list(data), ListedBatchSerializer()
        counts = count_items(batches)
        return [
            row.to_representation(batch)
            | {outcome: counts[batch.pk][outcome] for outcome in ("succeeded", "failed", "skipped")}
            for batch in batches
        ]


class ListedBatchSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    operation = Word(BatchOperation.Operation)
    state = Word(BatchOperation.State)
    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        list_serializer_class = _ListedBatches


class BatchListParameters(PageParameters):
    state = Word(BatchOperation.State, required=False)
    operation = Word(BatchOperation.Operation, required=False)


def respond_with_batches(request: Request, subject: Subject) -> Response:
    given: dict[str, Any] = read_parameters(request, BatchListParameters)
    chosen = {name: given[name] for name in ("state", "operation") if name in given}
    batches = BatchOperation.objects.visible_to(get_person(request)).filter(subject=subject, **chosen)
    return respond_with_rows(request, batches, "-created_at", ListedBatchSerializer, given)


class BatchItemSerializer(ReadOnlySerializer):
    account = serializers.UUIDField(source="account_id")
    state = Word(BatchItem.State)
    message = serializers.CharField(allow_blank=True)
    cause = serializers.CharField(
        allow_blank=True,
        help_text="Why it failed, in one word such as `login_refused` or `no_answer`; empty: not known.",
    )


LABELS = {
    "type": "object",
    "maxProperties": 64,
    "propertyNames": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": LABEL_NAME.pattern},
    "additionalProperties": {"type": ["string", "null"], "maxLength": 256, "pattern": r"^[^\x00]*$"},
    "description": "A string sets a label, null removes it.",
}


def describe_request(
    operations: Iterable[str], ids: str, filters: dict[str, Any], options: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the schema of a request. `options` are the rules of the operations that take options."""
    # A serializer cannot say that a request has either ids or a filter, and that only some operations have options.
    return {
        "type": "object",
        "required": ["operation"],
        "properties": {
            "operation": {"type": "string", "enum": list(operations)},
            ids: {
                "type": "array",
                "items": {"type": "string", "format": "uuid"},
                "minItems": 1,
                "maxItems": 100_000,
                "uniqueItems": True,
            },
            "filter": filters,
            "options": {"type": "object"},
        },
        "additionalProperties": False,
        "allOf": [{"oneOf": [{"required": [ids]}, {"required": ["filter"]}]}, *options],
    }


def describe_options(operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the rule of an operation that needs some of these options."""
    options = {"properties": properties, "minProperties": 1, "additionalProperties": False}
    return {
        "if": {"properties": {"operation": {"const": operation}}},
        "then": {"required": ["options"], "properties": {"options": options}},
    }


def describe_no_options(besides: Sequence[str]) -> dict[str, Any]:
    return {
        "if": {"properties": {"operation": {"enum": list(besides)}}},
        "else": {"properties": {"options": False}},
    }


REQUEST = describe_request(
    PERMISSIONS,
    "account_ids",
    documentation.describe_filter_object(AccountFilterSet)
    | {"description": "The parameters of `GET accounts/`. An empty filter chooses all accounts."},
    [
        describe_options(
            "update", {"labels": LABELS | {"minProperties": 1}, "sync_enabled": {"type": "boolean"}}
        ),
        describe_no_options(["update"]),
    ],
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    type={"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
    location=OpenApiParameter.HEADER,
    description="An ASCII text of at most 200 characters that you choose for this request.",
)
LOCATION = OpenApiParameter(
    "Location",
    location=OpenApiParameter.HEADER,
    response=[202],
    description="The address that shows the progress of the operation.",
)


class BatchStart(APIView):
    max_body_bytes = MAX_BODY_BYTES_OF_MANY_IDS

    @describe(
        "List operations",
        "The operations on accounts of the last 90 days, newest first.",
        operation_id="list_batches",
        parameters=[BatchListParameters],
        response=describe_page(ListedBatchSerializer),
        example=build_page_example({name: value for name, value in examples.BATCH.items() if name != "wait"}),
    )
    def get(self, request: Request) -> Response:
        return respond_with_batches(request, Subject.ACCOUNTS)

    @describe(
        "Act on many accounts",
        "Acts on the named accounts, or on all accounts that a filter chooses, at most 100,000. The answer comes once"
        " the operation is stored; workers do the rest. Repeated requests with the same `Idempotency-Key` start one"
        " operation.\n\n"
        "What was asked last wins: a field of an account that a newer request changed, here or with"
        " `PATCH accounts/{id}/`, stays as the newer request left it. An account of which every field stays ends"
        " `skipped`, with the message `A newer request changed it.`\n\n"
        "`sync` needs the permission `accounts.sync_account`, `disconnect` and `reconnect`"
        " `accounts.disconnect_account`, `update` `accounts.update_account`.",
        operation_id="start_batch",
        request={"application/json": REQUEST},
        request_examples={
            "some": {"operation": "sync", "account_ids": [examples.ACCOUNT_ID]},
            "all that match": {
                "operation": "disconnect",
                "filter": {"status": ["suspended"], "country": "DE"},
            },
            "labels": {
                "operation": "update",
                "filter": {},
                "options": {"labels": {"team": "north", "old": None}},
            },
        },
        parameters=[IDEMPOTENCY_KEY],
        status=202,
        response=BatchSerializer,
        example=examples.BATCH | {"state": "waiting", "succeeded": 0, "skipped": 0},
        permission="accounts.sync_account, accounts.disconnect_account or accounts.update_account",
        errors=[NOT_FOUND],
        headers=[LOCATION],
        behind=documentation.SYNC,
    )
    def post(self, request: Request) -> Response:
        body = check_body(request.data, ACCOUNTS)
        batch = start_batch(
            get_person(request),
            body["operation"],
            account_ids=body.get("account_ids"),
            filters=body.get("filter"),
            options=body.get("options"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return respond_accepted(batch)


def check_body(body: Any, rows: Rows) -> dict[str, Any]:
    """Return the body of a request that starts a batch. Raises ValidationError for fields of wrong types."""
    if not isinstance(body, dict):
        raise ValidationError("The body must be a JSON object.")
    # Only the types of the fields: the operation checks their values.
    types = {"operation": (str, "a string"), rows.ids: (list, "a list of ids")}
    types |= dict.fromkeys(("filter", "options"), (dict, "an object"))
    unknown = f"There is no such field. The fields are: {', '.join(types)}."
    errors = {name[:60]: unknown for name in body if name not in types}
    for name, (type_, words) in types.items():
        if name in body and not isinstance(body[name], type_):
            errors[name] = f"It must be {words}."
    if "operation" not in body:
        errors["operation"] = f"It is missing. It is one of: {', '.join(OFFERED[rows.subject])}."
    if errors:
        raise build_validation_error(errors)
    return body


def respond_accepted(batch: BatchOperation) -> Response:
    name = "api:connection-batch" if batch.subject == Subject.CONNECTIONS else "api:batch"
    location = build_link(reverse(name, args=[batch.pk]))
    return Response(BatchSerializer(batch).data, status=202, headers={"Location": location})


def get_visible(request: Request, batch_id: UUID, subject: Subject) -> BatchOperation:
    batches = BatchOperation.objects.visible_to(get_person(request)).filter(subject=subject)
    return get_object_or_404(batches, pk=batch_id)


class BatchDetail(APIView):
    @describe(
        "Show an operation",
        operation_id="get_batch",
        response=BatchSerializer,
        example=examples.BATCH,
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(BatchSerializer(get_visible(request, batch_id, Subject.ACCOUNTS)).data)


class BatchItemListParameters(PageParameters):
    state = Word(BatchItem.State, required=False)


class BatchItemList(APIView):
    @describe(
        "List the results of an operation",
        "One result for each account.",
        operation_id="list_batch_items",
        parameters=[BatchItemListParameters],
        response=describe_page(BatchItemSerializer),
        example=build_page_example(examples.BATCH_ITEM),
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        given = read_parameters(request, BatchItemListParameters)
        batch = get_visible(request, batch_id, Subject.ACCOUNTS)
        items = BatchItem.objects.visible_to(get_person(request)).filter(batch=batch)
        if "state" in given:
            items = items.filter(state=given["state"])
        return respond_with_rows(request, items, "account_id", BatchItemSerializer, given, unique=True)


class BatchCancel(APIView):
    @describe(
        "Cancel an operation",
        "Skips the accounts that wait. Accounts that are in progress go on to their end. If no account waits, the"
        " answer is 409 and nothing changes. Needs the permission of the operation.",
        operation_id="cancel_batch",
        response=BatchSerializer,
        example=examples.BATCH | {"state": "cancelled"},
        permission="accounts.sync_account, accounts.disconnect_account or accounts.update_account",
        errors=[NOT_FOUND, OPERATION_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        batch = cancel_batch(get_person(request), get_visible(request, batch_id, Subject.ACCOUNTS))
        return Response(BatchSerializer(batch).data)


class BatchRetry(APIView):
    @describe(
        "Retry what failed",
        "Retries the failed accounts as part of the same operation. A retry counts as asked now, for these accounts."
        " Needs the permission of the operation.",
        operation_id="retry_batch",
        status=202,
        response=BatchSerializer,
        example=examples.BATCH,
        permission="accounts.sync_account, accounts.disconnect_account or accounts.update_account",
        errors=[NOT_FOUND, OPERATION_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
        headers=[LOCATION],
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        batch = retry_batch(get_person(request), get_visible(request, batch_id, Subject.ACCOUNTS))
        return respond_accepted(batch)


class BatchUndo(APIView):
    @describe(
        "Undo an update of labels",
        "Starts an operation `undo` that gives the labels back which an `update` set or removed. A label that was"
        " changed since stays as it is: an account of which every label stays ends `skipped`, and its message names"
        " them. `sync_enabled` is not undone. The answer is 409 if the operation has not ended, changed no label, or"
        " was undone already.",
        operation_id="undo_batch",
        status=202,
        response=BatchSerializer,
        example=examples.BATCH | {"operation": "undo", "state": "waiting", "succeeded": 0, "skipped": 0},
        permission="accounts.update_account",
        errors=[NOT_FOUND, OPERATION_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
        headers=[LOCATION],
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        undo = undo_batch(get_person(request), get_visible(request, batch_id, Subject.ACCOUNTS))
        return respond_accepted(undo)
