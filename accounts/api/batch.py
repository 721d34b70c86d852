"""Batch operations: start one, see how far it is, stop it, try again."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import person
from accounts.api.exceptions import Conflict
from accounts.api.lists import PageParameters, Word, page_response, read_parameters, refuse_body
from accounts.batch import BatchStateError, cancel, retry, start_batch
from accounts.models import BatchItem, BatchOperation
from accounts.pagination import KeysetPaginator

FIELDS = ("operation", "account_ids", "filter", "options")


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

    def to_representation(self, instance: BatchOperation) -> dict[str, Any]:
        counts = instance.counts()
        return super().to_representation(instance) | {
            outcome: counts[outcome] for outcome in ("succeeded", "failed", "skipped")
        }


class BatchItemSerializer(serializers.Serializer[Any]):
    account = serializers.UUIDField(source="account_id")
    state = Word(BatchItem.State)
    message = serializers.CharField(allow_blank=True)


class BatchOptions(serializers.Serializer[Any]):
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, allow_null=True, max_length=256), required=False
    )
    sync_enabled = serializers.BooleanField(required=False)


class BatchRequest(serializers.Serializer[Any]):
    """Either `account_ids` or `filter`; `options` for an update alone."""

    operation = Word(BatchOperation.Operation)
    account_ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, min_length=1, max_length=100_000
    )
    filter = serializers.DictField(
        required=False, help_text="The parameters of `GET accounts/`; all accounts if it is empty."
    )
    options = BatchOptions(required=False)


class BatchStart(APIView):
    def post(self, request: Request) -> Response:
        body = _checked(request.data)
        batch = start_batch(
            person(request),
            body["operation"],
            account_ids=body.get("account_ids"),
            filter=body.get("filter"),
            options=body.get("options"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return _accepted(request, batch)


def _checked(body: Any) -> dict[str, Any]:
    """Return the body if its fields have the right types; what they mean is checked by the operation."""
    if not isinstance(body, dict):
        raise ValidationError("The body must be a JSON object.")
    errors = {
        name[:60]: f"There is no such field. Those there are: {', '.join(FIELDS)}."
        for name in body
        if name not in FIELDS
    }
    types = {"operation": (str, "a string"), "account_ids": (list, "a list of ids")}
    types |= dict.fromkeys(("filter", "options"), (dict, "an object"))
    for name, (type_, words) in types.items():
        if name in body and not isinstance(body[name], type_):
            errors[name] = f"It must be {words}."
    if "operation" not in body:
        errors["operation"] = f"It is missing. It is one of: {', '.join(BatchOperation.Operation.values)}."
    if errors:
        raise ValidationError(errors)
    return body


def _accepted(request: Request, batch: BatchOperation) -> Response:
    location = request.build_absolute_uri(reverse("api:batch", args=[batch.pk]))
    return Response(BatchSerializer(batch).data, status=202, headers={"Location": location})


def _visible(request: Request, batch_id: UUID) -> BatchOperation:
    return get_object_or_404(BatchOperation.objects.visible_to(person(request)), pk=batch_id)


class BatchDetail(APIView):
    def get(self, request: Request, batch_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(BatchSerializer(_visible(request, batch_id)).data)


class BatchItemListParameters(PageParameters):
    state = Word(BatchItem.State, required=False)


class BatchItemList(APIView):
    def get(self, request: Request, batch_id: UUID) -> Response:
        given = read_parameters(request, BatchItemListParameters)
        items = BatchItem.objects.filter(batch=_visible(request, batch_id))
        if "state" in given:
            items = items.filter(state=given["state"])
        paginator = KeysetPaginator(items, "account_id", given["page_size"], unique=True)
        return page_response(
            request, paginator, lambda rows: BatchItemSerializer(rows, many=True).data, given.get("cursor")
        )


class BatchCancel(APIView):
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        batch = _visible(request, batch_id)
        try:
            return Response(BatchSerializer(cancel(batch, person(request))).data)
        except BatchStateError as error:
            raise Conflict(str(error)) from error


class BatchRetry(APIView):
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        batch = _visible(request, batch_id)
        try:
            return _accepted(request, retry(batch, person(request)))
        except BatchStateError as error:
            raise Conflict(str(error)) from error
