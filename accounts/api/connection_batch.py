"""Batch operations on connections: the same as on accounts, with one result for each connection."""

from typing import Any, Final
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import get_person
from accounts.api.batch import (
    IDEMPOTENCY_KEY,
    LABELS,
    LOCATION,
    BatchItemListParameters,
    BatchListParameters,
    BatchSerializer,
    ListedBatchSerializer,
    check_body,
    describe_no_options,
    describe_options,
    describe_request,
    get_visible,
    respond_accepted,
    respond_with_batches,
)
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import Word, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import MAX_BODY_BYTES_OF_MANY_IDS
from accounts.api.representation import ReadOnlySerializer
from accounts.batch import cancel_batch, retry_batch, start_batch_of
from accounts.batch.operations import CONNECTION_PERMISSIONS, Subject
from accounts.batch.rows import CONNECTIONS
from accounts.lists.connection_parameters import ConnectionFilterSet
from accounts.models import ConnectionBatchItem
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.web.problems import CONTENT_TOO_LARGE, NOT_FOUND, OPERATION_STATE, UNSUPPORTED_MEDIA_TYPE
from tokens.connect.update import MAX_EMAIL_LENGTH

PERMISSION: Final = " or ".join(dict.fromkeys(CONNECTION_PERMISSIONS.values()))
REQUEST: Final = describe_request(
    CONNECTION_PERMISSIONS,
    CONNECTIONS.ids,
    documentation.describe_filter_object(ConnectionFilterSet)
    | {"description": "The parameters of `GET connections/`. An empty filter chooses all connections."},
    [
        describe_options(
            "update",
            {
                "labels": LABELS | {"minProperties": 1},
                "contact_email": {"type": "string", "maxLength": MAX_EMAIL_LENGTH},
                "regions": {
                    "type": "array",
                    "items": {"type": "string", "enum": list(Region.values)},
                    "minItems": 1,
                    "uniqueItems": True,
                },
                "owner": {"type": "string", "description": "A user name."},
            },
        ),
        describe_options("move", {"team": {"type": "string", "format": "uuid"}}),
        describe_no_options(["update", "move"]),
    ],
)


class ConnectionBatchItemSerializer(ReadOnlySerializer):
    connection = serializers.UUIDField(source="connection_id")
    state = Word(ConnectionBatchItem.State)
    message = serializers.CharField(allow_blank=True)
    cause = serializers.CharField(
        allow_blank=True,
        help_text="Why it failed, in one word such as `login_refused` or `no_answer`; empty: not known.",
    )


class ConnectionBatchStart(APIView):
    max_body_bytes = MAX_BODY_BYTES_OF_MANY_IDS

    @describe(
        "List operations on connections",
        "The operations on connections of the last 90 days, newest first.",
        operation_id="list_connection_batches",
        parameters=[BatchListParameters],
        response=describe_page(ListedBatchSerializer),
        example=build_page_example({name: value for name, value in examples.BATCH.items() if name != "wait"}),
    )
    def get(self, request: Request) -> Response:
        return respond_with_batches(request, Subject.CONNECTIONS)

    @describe(
        "Act on many connections",
        "Acts on the named connections, or on all connections that a filter chooses, at most 100,000. The answer comes"
        " once the operation is stored; workers do the rest, one connection after another. Repeated requests with the"
        " same `Idempotency-Key` start one operation.\n\n"
        "The right is checked again for each connection when its turn comes. What was asked last wins: what a newer"
        " request changed, here or on one connection, stays. A result of `sync` is that of the sync; a result of"
        " `refresh` says that the refresh is queued, and `connections/{id}/refreshes/` shows its outcome. `move` has the"
        " option `team`, `update` any of `labels`, `contact_email`, `regions` and `owner`. `send_renewal_links` mails a"
        " client link for each connection: one mail a day to one contact, with the links of all their logins. The open"
        " links of the connections end when it is sent; without a contact the result is `failed`.\n\n"
        "`sync` needs the permission `accounts.sync_account`, `refresh` `tokens.refresh_connection`, `pause`, `resume`,"
        " `update` and `send_renewal_links` `tokens.connect_amazon`, `disconnect` `tokens.disconnect_connection`, and"
        " `move` `tokens.move_connection`.",
        operation_id="start_connection_batch",
        request={"application/json": REQUEST},
        request_examples={
            "some": {"operation": "sync", "connection_ids": [examples.CONNECTION_ID]},
            "all that match": {"operation": "pause", "filter": {"labels": {"client": "acme"}}},
            "labels": {
                "operation": "update",
                "filter": {},
                "options": {"labels": {"client": "acme", "old": None}},
            },
            "links for consents that end": {
                "operation": "send_renewal_links",
                "filter": {"consent": "ends_in_30"},
            },
            "another team": {
                "operation": "move",
                "connection_ids": [examples.CONNECTION_ID],
                "options": {"team": examples.TEAM_ID},
            },
        },
        parameters=[IDEMPOTENCY_KEY],
        status=202,
        response=BatchSerializer,
        example=examples.BATCH | {"state": "waiting", "succeeded": 0, "skipped": 0},
        permission=PERMISSION,
        errors=[NOT_FOUND],
        headers=[LOCATION],
        behind=[*documentation.SYNC, documentation.REFRESH],
    )
    def post(self, request: Request) -> Response:
        body = check_body(request.data, CONNECTIONS)
        batch = start_batch_of(
            CONNECTIONS,
            get_person(request),
            body["operation"],
            ids=body.get(CONNECTIONS.ids),
            filters=body.get("filter"),
            options=body.get("options"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return respond_accepted(batch)


class ConnectionBatchDetail(APIView):
    @describe(
        "Show an operation on connections",
        operation_id="get_connection_batch",
        response=BatchSerializer,
        example=examples.BATCH,
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(BatchSerializer(get_visible(request, batch_id, Subject.CONNECTIONS)).data)


class ConnectionBatchItemList(APIView):
    @describe(
        "List the results of an operation on connections",
        "One result for each connection.",
        operation_id="list_connection_batch_items",
        parameters=[BatchItemListParameters],
        response=describe_page(ConnectionBatchItemSerializer),
        example=build_page_example(examples.CONNECTION_BATCH_ITEM),
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        given = read_parameters(request, BatchItemListParameters)
        batch = get_visible(request, batch_id, Subject.CONNECTIONS)
        items: Any = ConnectionBatchItem.objects.visible_to(get_person(request)).filter(batch=batch)
        if "state" in given:
            items = items.filter(state=given["state"])
        return respond_with_rows(
            request, items, "connection_id", ConnectionBatchItemSerializer, given, unique=True
        )


class ConnectionBatchCancel(APIView):
    @describe(
        "Cancel an operation on connections",
        "Skips the connections that wait. Connections that are in progress go on to their end. If none waits, the"
        " answer is 409 and nothing changes. Needs the permission of the operation.",
        operation_id="cancel_connection_batch",
        response=BatchSerializer,
        example=examples.BATCH | {"state": "cancelled"},
        permission=PERMISSION,
        errors=[NOT_FOUND, OPERATION_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        batch = cancel_batch(get_person(request), get_visible(request, batch_id, Subject.CONNECTIONS))
        return Response(BatchSerializer(batch).data)


class ConnectionBatchRetry(APIView):
    @describe(
        "Retry what failed of an operation on connections",
        "Retries the failed connections as part of the same operation, in the name of who started it. A retry counts as"
        " asked now, for these connections. Needs the permission of the operation.",
        operation_id="retry_connection_batch",
        status=202,
        response=BatchSerializer,
        example=examples.BATCH,
        permission=PERMISSION,
        errors=[NOT_FOUND, OPERATION_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
        headers=[LOCATION],
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        refuse_body(request)
        batch = retry_batch(get_person(request), get_visible(request, batch_id, Subject.CONNECTIONS))
        return respond_accepted(batch)
