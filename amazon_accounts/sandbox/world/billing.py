"""What Amazon's billing says about an advertiser in a marketplace."""

from dataclasses import dataclass, field
from typing import Any

#: The id of the advertiser and the id of the marketplace: `account_id` and `marketplace_id` of a profile.
Pair = tuple[str, str]

VALID = "VALID_BILLING_STATUS"
#: Every published code, with the sentence that the sandbox sends with it.
MESSAGES = {
    VALID: "Your billing status is valid.",
    "ACCOUNT_BILLING_ISSUE": "There is an issue with your billing account.",
    "INVALID_PAYMENT_REGISTRATION": "Your payment method is not registered correctly.",
    "PAYMENT_METHOD_EXPIRED": "Your payment method has expired.",
    "PAYMENT_METHOD_VERIFICATION_FAILED": "Your payment method could not be verified.",
    "RESERVE_ORDER_BALANCE_TOO_LOW": "The balance of your order is too low.",
    "STORED_VALUE_BALANCE_TOO_LOW": "Your prepaid balance is too low.",
    "PENDING_BILLING_REGISTRATION": "Your billing registration is not complete.",
    "PENDING_PAYMENT_REGISTRATION": "Your payment registration is not complete.",
    "PENDING_TAX_REGISTRATION": "Your tax registration is not complete.",
}


@dataclass
class Notification:
    """One notice. A test may set any field to any JSON value, to see what the client makes of it."""

    name: Any
    severity: Any = "INFO"
    impact: Any = "NO_IMPACT"
    priority: Any = 1
    title: Any = ""
    description: Any = ""
    #: As Amazon writes it, "2026-12-01T00:00:00Z". With None, Amazon leaves the field out.
    payment_due_date: Any = None
    suspension_date: Any = None
    #: More fields of the answer: unknown fields, or odd values of known fields.
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Billing:
    status_code: Any = VALID
    #: With None, the sentence of MESSAGES.
    message: Any = None
    notifications: list[Notification] = field(default_factory=list)
