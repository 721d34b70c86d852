"""The pieces of a text by which an index finds a part of it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func


class Trigrams(Func):
    """The distinct three-character pieces of a text: the database function `account_trigrams`."""

    function = "account_trigrams"
    arity = 1
    output_field = ArrayField(models.TextField())
