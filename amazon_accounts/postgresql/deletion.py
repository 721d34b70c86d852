"""Deleting many rows without long locks."""

import logging
from typing import Any

from django.db.models import Model, QuerySet

logger = logging.getLogger(__name__)

BATCH_SIZE = 1000


def delete_in_batches(rows: QuerySet[Any], *, batch_size: int = BATCH_SIZE) -> int:
    model: type[Model] = rows.model
    deleted = 0
    while batch := list(rows.order_by().values_list("pk", flat=True)[:batch_size]):
        deleted += rows.filter(pk__in=batch).delete()[0]
        logger.debug("Deleted %d rows of %s.", len(batch), model.__name__)
    return deleted
