"""What Django and REST framework make of the same table if nobody thinks about it: to be compared with.

The addresses of a server of its own: it takes the place of our admin of accounts.
"""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.serializers import ModelSerializer

from accounts.models import Account


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


class PlainAccountAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # not subscriptable at run time
    list_display = ("name", "amazon_account_id", "status", "account_type", "connection", "updated_at")
    list_filter = ("status", "account_type", "connection")
    search_fields = ("name", "amazon_account_id")


admin.site.unregister(Account)
admin.site.register(Account, PlainAccountAdmin)

urlpatterns: list[Any] = [
    path("plain/accounts/", PlainList.as_view()),
    path("", include("amazon_accounts.urls")),
]
