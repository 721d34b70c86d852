"""What Amazon's word in its list of ads accounts means. A word that is not here is unknown."""

from typing import Final

from accounts.models import Account

STATUSES: Final = {
    "": Account.Status.ACTIVE,
    "CREATED": Account.Status.ACTIVE,
    "PENDING": Account.Status.PENDING,
    "PARTIALLY_CREATED": Account.Status.PENDING,
    # The registration failed.
    "DISABLED": Account.Status.INACTIVE,
    # The words of Amazon's API v1.
    "APPROVED": Account.Status.ACTIVE,
    "REGISTRATION_IN_PROGRESS": Account.Status.PENDING,
    "SUSPENDED": Account.Status.SUSPENDED,
    "ARCHIVED": Account.Status.INACTIVE,
    "REJECTED": Account.Status.INACTIVE,
}
