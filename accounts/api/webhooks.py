"""Webhooks of teams, and the log of what was sent to them."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.access_token import NO_STORE
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import read_fields
from accounts.api.representation import ReadOnlySerializer, TeamReference
from accounts.api.teams import find_team
from amazon_accounts.web.problems import (
    CONTENT_TOO_LARGE,
    NOT_FOUND,
    UNSUPPORTED_MEDIA_TYPE,
    WEBHOOK_STATE,
)
from tokens.models import Event, Team, Webhook, WebhookDelivery
from tokens.models.webhook import ALL_EVENTS, MAX_URL_CHARACTERS
from tokens.permissions import may
from tokens.webhooks.manage import (
    MANAGE,
    OFFERED,
    delete_webhook,
    make_webhook,
    redeliver,
    rotate_secret,
    send_test,
    update_webhook,
)

VIEW = "tokens.view_webhook"
ABOUT_EVENTS = "The types of the events that are sent; `*` asks for all, also for those of later versions."
ABOUT_URL = (
    "Where the events are sent: an `https://` address on the public internet, unless `WEBHOOK_ALLOWED_HOSTS` names its "
    "host."
)
ABOUT_SECRET = "The secret that signs what is sent. It is shown this once."  # noqa: S105 - no secret


class EventTypes(serializers.ListField):
    child = Word([ALL_EVENTS, *OFFERED])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=len(OFFERED) + 1, **kwargs)


class WebhookSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    team = TeamReference()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when every try has failed. After five days it is switched off."
    )
    switched_off_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was switched off because it had failed for five days."
    )
    old_secret_ends_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before the last rotation signs as well."
    )


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text=ABOUT_SECRET)


class SecretSerializer(ReadOnlySerializer):
    secret = serializers.CharField(help_text=ABOUT_SECRET)
    old_secret_ends_at = serializers.DateTimeField(help_text="Until then the old secret signs as well.")


class WebhookRequest(serializers.Serializer[Any]):
    team = serializers.UUIDField(
        required=False, help_text="The id of the team. It can be left out by who is in one team."
    )
    url = serializers.CharField(max_length=MAX_URL_CHARACTERS, help_text=ABOUT_URL)
    events = EventTypes(help_text=ABOUT_EVENTS)


class TrueOrFalse(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        # REST framework also takes 0, "off" and the like.
        if not isinstance(data, bool):
            raise serializers.ValidationError("It must be true or false.")
        return data


class WebhookChangesRequest(serializers.Serializer[Any]):
    url = serializers.CharField(required=False, max_length=MAX_URL_CHARACTERS, help_text=ABOUT_URL)
    events = EventTypes(required=False, help_text=ABOUT_EVENTS)
    is_active = TrueOrFalse(
        required=False, help_text="Nothing is sent to a webhook that is switched off, and what waits fails."
    )


class DeliveryListParameters(PageParameters):
    state = Word(WebhookDelivery.State, required=False)


class DeliverySerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    event = serializers.UUIDField(source="event_id", help_text="Was sent as `webhook-id`.")
    type = Word(Event.Type, source="event.type")
    state = Word(WebhookDelivery.State)
    created_at = serializers.DateTimeField()
    tries = serializers.IntegerField()
    tried_at = serializers.DateTimeField(allow_null=True)
    next_try_at = serializers.DateTimeField(allow_null=True)
    status = serializers.IntegerField(
        allow_null=True, help_text="Of the answer to the last try; null if none came."
    )
    milliseconds = serializers.IntegerField(allow_null=True, help_text="How long the last try took.")
    error = serializers.CharField(allow_blank=True, help_text="Why no answer came.")


def _select_visible(request: Request) -> QuerySet[Webhook]:
    return Webhook.objects.visible_to(get_person(request)).select_related("team")


def _get_visible(request: Request, webhook_id: UUID) -> Webhook:
    """Raise Http404 for a webhook of a team that the person does not see, and PermissionDenied in their own teams."""
    person = get_person(request)
    webhooks = Webhook.objects.filter(team__in=Team.objects.visible_to(person)).select_related("team")
    webhook = get_object_or_404(webhooks, pk=webhook_id)
    if not may(person, VIEW, webhook):
        raise PermissionDenied(VIEW)
    return webhook


class WebhookList(APIView):
    @describe(
        "List webhooks",
        "Newest first. The answer never contains a secret.",
        operation_id="list_webhooks",
        parameters=[PageParameters],
        response=describe_page(WebhookSerializer),
        example=build_page_example(examples.WEBHOOK),
        permission=VIEW,
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, PageParameters)
        return respond_with_rows(request, _select_visible(request), "-created_at", WebhookSerializer, given)

    @describe(
        "Make a webhook",
        "What is sent has the form of [Standard Webhooks](https://www.standardwebhooks.com): `webhook-id`, "
        "`webhook-timestamp` and `webhook-signature` in the headers, and `type`, `timestamp` and `data` in the body. Each "
        "event is sent at least once, and the events of one connection, account or batch in order. A try that is not "
        "answered with 2xx within ten seconds is made again.",
        operation_id="create_webhook",
        request=WebhookRequest,
        request_examples={
            "suspensions": {
                "url": "https://hooks.example.com/amazon",
                "events": ["account.suspended", "account.restored"],
            }
        },
        status=201,
        response=NewWebhookSerializer,
        example=examples.WEBHOOK | {"secret": examples.WEBHOOK_SECRET},
        permission=MANAGE,
    )
    def post(self, request: Request) -> Response:
        given = read_fields(request.data, WebhookRequest)
        webhook, secret = make_webhook(
            get_person(request),
            find_team(get_person(request), given.get("team")),
            url=given["url"],
            events=given["events"],
        )
        answer = {**WebhookSerializer(webhook).data, "secret": secret}
        return Response(answer, status=201, headers=NO_STORE)


class WebhookDetail(APIView):
    @describe(
        "Show a webhook",
        operation_id="get_webhook",
        response=WebhookSerializer,
        example=examples.WEBHOOK,
        permission=VIEW,
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, webhook_id: UUID) -> Response:
        read_parameters(request, serializers.Serializer)
        return Response(WebhookSerializer(_get_visible(request, webhook_id)).data)

    @describe(
        "Change a webhook",
        "Fields that are left out stay as they are.",
        operation_id="update_webhook",
        request=WebhookChangesRequest,
        request_examples={"all events": {"events": ["*"]}, "switch it on": {"is_active": True}},
        response=WebhookSerializer,
        example=examples.WEBHOOK,
        permission=MANAGE,
        errors=[NOT_FOUND],
    )
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        webhook = _get_visible(request, webhook_id)
        update_webhook(get_person(request), webhook, **read_fields(request.data, WebhookChangesRequest))
        return Response(WebhookSerializer(_get_visible(request, webhook_id)).data)

    @describe(
        "Delete a webhook",
        "With its log. Nothing more is sent.",
        operation_id="delete_webhook",
        status=204,
        response=None,
        permission=MANAGE,
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        refuse_body(request)
        delete_webhook(get_person(request), _get_visible(request, webhook_id))
        return Response(status=204)


class WebhookTest(APIView):
    @describe(
        "Test a webhook",
        "Sends the event `webhook.test` to this webhook alone. `deliveries/` shows the answer.",
        operation_id="test_webhook",
        status=202,
        response=DeliverySerializer,
        example=examples.DELIVERY,
        permission=MANAGE,
        errors=[NOT_FOUND, WEBHOOK_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        refuse_body(request)
        delivery = send_test(get_person(request), _get_visible(request, webhook_id))
        return Response(DeliverySerializer(delivery).data, status=202)


class WebhookRotateSecret(APIView):
    @describe(
        "Give a webhook a new secret",
        "For one day what is sent has two signatures, one by the new and one by the old secret.",
        operation_id="rotate_webhook_secret",
        response=SecretSerializer,
        example={"secret": examples.WEBHOOK_SECRET, "old_secret_ends_at": "2026-11-30T08:00:00Z"},
        permission=MANAGE,
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        refuse_body(request)
        webhook = _get_visible(request, webhook_id)
        secret = rotate_secret(get_person(request), webhook)
        answer = {"secret": secret, "old_secret_ends_at": webhook.old_secret_ends_at}
        return Response(answer, headers=NO_STORE)


class DeliveryList(APIView):
    @describe(
        "List what was sent to a webhook",
        "Of the last 30 days, newest first, with the answer to the last try.",
        operation_id="list_webhook_deliveries",
        parameters=[DeliveryListParameters],
        response=describe_page(DeliverySerializer),
        example=build_page_example(examples.DELIVERY),
        permission="tokens.view_webhookdelivery",
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, webhook_id: UUID) -> Response:
        given = read_parameters(request, DeliveryListParameters)
        webhook = _get_visible(request, webhook_id)
        deliveries = webhook.deliveries.all()
        if "state" in given:
            deliveries = deliveries.filter(state=given["state"])
        return respond_with_rows(
            request, deliveries.select_related("event"), "-created_at", DeliverySerializer, given
        )


class DeliveryRedeliver(APIView):
    @describe(
        "Send an event again",
        "Under its old id, as often as the schedule of the tries says. It waits for no other event, and none waits for it.",
        operation_id="redeliver_event",
        status=202,
        response=DeliverySerializer,
        example=examples.DELIVERY,
        permission=MANAGE,
        errors=[NOT_FOUND, WEBHOOK_STATE, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        refuse_body(request)
        webhook = _get_visible(request, webhook_id)
        delivery = get_object_or_404(webhook.deliveries.select_related("webhook__team"), pk=delivery_id)
        redeliver(get_person(request), delivery)
        return Response(DeliverySerializer(delivery).data, status=202)
