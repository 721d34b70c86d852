"""Notes on accounts and connections."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.connect_links import Text
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, read_parameters, refuse_body, respond_with_rows
from accounts.api.parsing import read_fields
from accounts.api.representation import ReadOnlySerializer
from accounts.models import Account, Note
from accounts.models.note import MAX_NOTE_LENGTH
from accounts.notes import WRITE, add_note, delete_note
from amazon_accounts.web.problems import CONTENT_TOO_LARGE, NOT_FOUND, UNSUPPORTED_MEDIA_TYPE
from tokens.models import Connection

VIEW = "accounts.view_note"


class NoteSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    account = serializers.UUIDField(source="account_id", allow_null=True)
    connection = serializers.UUIDField(source="connection_id", allow_null=True)
    author = serializers.CharField(
        source="author_name", allow_null=True, help_text="Null if a command wrote it."
    )
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class NoteListParameters(PageParameters):
    account = serializers.UUIDField(required=False, help_text="Notes on this account.")
    connection = serializers.UUIDField(required=False, help_text="Notes on this connection.")


class NoteRequest(serializers.Serializer[Any]):
    account = serializers.UUIDField(required=False, help_text="The id of the account that it is about,")
    connection = serializers.UUIDField(required=False, help_text="or of the connection.")
    text = Text(max_length=MAX_NOTE_LENGTH, help_text="It may have line breaks.")


class NoteList(APIView):
    @describe(
        "List notes",
        "Newest first.",
        operation_id="list_notes",
        parameters=[NoteListParameters],
        response=describe_page(NoteSerializer),
        example=build_page_example(examples.NOTE),
        permission=VIEW,
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, NoteListParameters)
        notes = Note.objects.visible_to(get_person(request)).select_related("author")
        for name in ("account", "connection"):
            if name in given:
                notes = notes.filter(**{name: given[name]})
        return respond_with_rows(request, notes, "-created_at", NoteSerializer, given)

    @describe(
        "Write a note",
        "On an account or on a connection.",
        operation_id="create_note",
        request=NoteRequest,
        request_examples={"on an account": {"account": examples.ACCOUNT_ID, "text": examples.NOTE["text"]}},
        status=201,
        response=NoteSerializer,
        example=examples.NOTE,
        permission=WRITE,
    )
    def post(self, request: Request) -> Response:
        person, given = get_person(request), dict(read_fields(request.data, NoteRequest))
        note = add_note(person, _find_subject(person, given), given["text"])
        return Response(NoteSerializer(note).data, status=201)


class NoteDetail(APIView):
    @describe(
        "Delete a note",
        "Authors delete their own notes, administrators all.",
        operation_id="delete_note",
        status=204,
        response=None,
        permission=WRITE,
        errors=[NOT_FOUND, CONTENT_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE],
    )
    def delete(self, request: Request, note_id: UUID) -> Response:
        refuse_body(request)
        notes = Note.objects.visible_to(get_person(request)).select_related("account", "connection")
        delete_note(get_person(request), get_object_or_404(notes, pk=note_id))
        return Response(status=204)


def _find_subject(person: User, given: dict[str, Any]) -> Account | Connection:
    named = [name for name in ("account", "connection") if name in given]
    if len(named) != 1:
        raise ValidationError({"account": "Give either `account` or `connection`."})
    [name] = named
    found: Account | Connection | None
    if name == "account":
        found = Account.objects.visible_to(person).filter(pk=given[name]).first()
    else:
        found = Connection.objects.visible_to(person).filter(pk=given[name]).first()
    if found is None:
        raise ValidationError({name: f"It must be the id of one of your {name}s."})
    return found
