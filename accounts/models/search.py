"""The words by which an account is found."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from accounts.models.account import Account
from amazon_accounts.postgresql.trigrams import Trigrams


class AccountSearch(models.Model):
    """An account's name and Amazon id in small letters, in a narrow table of their own.

    Triggers keep `text` true, so no write path can forget it. The pieces are indexed later, by a task: computing
    them at once would make a sync of new accounts several times slower. Until then a search reads the text.
    """

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    text = models.TextField()
    is_indexed = models.BooleanField(default=False)

    class Meta:
        indexes = [
            GinIndex(Trigrams("text"), condition=Q(is_indexed=True), name="account_search_trigrams"),
            models.Index(fields=["account"], condition=Q(is_indexed=False), name="account_search_waiting"),
        ]

    def __str__(self) -> str:
        return self.text
