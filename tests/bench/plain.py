"""What Django and REST framework make of the same table if nobody thinks about it: to be compared with.

The addresses of a server of its own: it takes the place of our admin of accounts.
"""

from functools import cache
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.serializers import ModelSerializer

from accounts.lists.account_json import represent_accounts
from accounts.lists.account_pages import select_keys
from accounts.models import Account
from tests.bench.many_accounts import OWNER


class PlainAccountSerializer(ModelSerializer[Account]):
    class Meta:
        model = Account
        fields = "__all__"


class Pages(PageNumberPagination):
    page_size = 100


class PlainList(ListAPIView[Account]):
    queryset = Account.objects.order_by("name", "id")
    serializer_class = PlainAccountSerializer
    pagination_class = Pages


class FirstList(PlainList):
    """The same over 1,000 accounts, whose number is counted quickly."""

    queryset = Account.objects.filter(pk__in=Account.objects.order_by("pk").values("pk")[:1_000]).order_by(
        "name", "id"
    )


@cache
def page_statement() -> tuple[str, tuple[Any, ...]]:
    """The statement of the first page of `accounts/` for the person with all accounts."""
    person = User.objects.get(username=OWNER)
    accounts = select_keys(represent_accounts(Account.objects.visible_to(person)), "name")
    statement, parameters = accounts.order_by("name", "pk")[:101].query.sql_with_params()
    return statement, tuple(parameters)


def bare_page(_request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(*page_statement())
        rows = [row[-1] for row in cursor.fetchall()]
    return HttpResponse(f'{{"results":[{",".join(rows[:100])}]}}', content_type="application/json")


class PlainAccountAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    list_display = ("name", "amazon_account_id", "status", "account_type", "connection", "updated_at")
    list_filter = ("status", "account_type", "connection")
    search_fields = ("name", "amazon_account_id")


admin.site.unregister(Account)
admin.site.register(Account, PlainAccountAdmin)

urlpatterns: list[Any] = [
    path("plain/accounts/", PlainList.as_view()),
    path("plain/first/", FirstList.as_view()),
    path("plain/bare/", bare_page),
    path("", include("amazon_accounts.urls")),
]
