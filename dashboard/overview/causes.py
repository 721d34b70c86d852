"""Why accounts have their standing, in a few words: from Amazon's billing code and the name of its notice."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import F, Func, JSONField, OuterRef, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, JSONObject

from accounts.models import Profile

OTHER: Final = "another reason"
# The words for the names that Amazon publishes. Only words follow from a name: a name that is not here changes no
# number, and the billing code says the cause.
NOTICES: Final = {
    "BAD_DEBT_SUSPENSION": "bad debt",
    "CREDIT_CARD_CHARGE_DISPUTE_CAUSED_SUSPENSION": "card charge disputed",
    "CREDIT_CARD_EXPIRED": "payment method expired",
    "CREDIT_CARD_EXPIRES_SOON": "payment method expires soon",
    "CREDIT_CARD_PAYMENT_FAILURE_CAUSED_SUSPENSION": "card payment failed",
    "CREDIT_CARD_VERIFICATION_FAILURE_CAUSED_SUSPENSION": "payment method not verified",
    "CREDIT_CARD_WITH_VERIFICATION_PAYMENT_FAILURE_CAUSED_SUSPENSION": "card payment failed",
    "CREDIT_CARD_WITH_VERIFICATION_PENDING_CAUSED_SUSPENSION": "payment method not verified",
    "CREDIT_CARD_WITH_VERIFICATION_SUSPENSION_WITH_PAYMENT_IN_PROGRESS": "card payment in progress",
    "DEDUCT_FROM_PROCEEDS_PAYMENT_FAILURE_CAUSED_SUSPENSION": "payment from proceeds failed",
    "DEDUCT_FROM_PROCEEDS_WITH_CREDIT_CARD_FALLBACK_PAYMENT_FAILURE_CAUSED_SUSPENSION": "payment from proceeds failed",
    "INACTIVE_SELLER_ACCOUNT_CAUSED_SUSPENSION": "seller account inactive",
    "PAY_BY_INVOICE_OVERDUE_PAYMENT": "invoice overdue",
    "PAY_BY_INVOICE_OVERDUE_PAYMENT_CAUSED_SUSPENSION": "invoice overdue",
    "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION": "invoice overdue",
    "PAY_BY_INVOICE_UPCOMING_PAYMENT": "invoice due soon",
    "POLICY_VIOLATIONS": "policy violations",
    "PREPAY_INSUFFICIENT_BALANCE": "balance too low",
    "PRE_AUTH_FAILURE_SUSPENSION": "pre-authorisation failed",
    "RO_INSUFFICIENT_BALANCE": "balance too low",
    "SELLER_ACCOUNT_BALANCE_LOW": "balance too low",
    "SELLER_ACCOUNT_INSUFFICIENT_AVAILABLE_BALANCE_CAUSED_SUSPENSION": "balance too low",
    "SELLER_ACCOUNT_INSUFFICIENT_GROSS_BALANCE_CAUSED_SUSPENSION": "balance too low",
    "SELLER_ACCOUNT_PAYMENT_FAILURE_CAUSED_SUSPENSION": "seller account not charged",
    "SELLER_ACCOUNT_WITH_CREDIT_CARD_FALLBACK_PAYMENT_FAILURE_CAUSED_SUSPENSION": "seller account not charged",
    "SUSPICIOUS_ACTIVITY": "suspicious activity",
    "TAX_ID_VALIDATION_REJECTED": "tax id rejected",
}
CODES: Final = {
    "ACCOUNT_BILLING_ISSUE": "billing issue",
    "INVALID_PAYMENT_REGISTRATION": "payment method not valid",
    "PAYMENT_METHOD_EXPIRED": "payment method expired",
    "PAYMENT_METHOD_VERIFICATION_FAILED": "payment method not verified",
    "RESERVE_ORDER_BALANCE_TOO_LOW": "balance too low",
    "STORED_VALUE_BALANCE_TOO_LOW": "balance too low",
    "PENDING_BILLING_REGISTRATION": "billing details",
    "PENDING_PAYMENT_REGISTRATION": "payment method",
    "PENDING_TAX_REGISTRATION": "tax registration",
}


def name_cause(said: Mapping[str, Any] | None) -> str:
    """Return the words for what `find_cause` found."""
    if not said:
        return OTHER
    return NOTICES.get(said["notice"] or "") or CODES.get(said["code"]) or OTHER


def _first_notice(condition: str) -> KeyTextTransform:
    path = Value(f"$[*] ? ({condition})", output_field=TextField())
    first = Func(
        F("notices"),
        path,
        function="jsonb_path_query_first",
        template="%(function)s(%(expressions)s::jsonpath)",
        output_field=JSONField(),
    )
    return KeyTextTransform("name", first)


# As accounts_find_standing.sql decides: what stops campaigns, what announces a stop, what Amazon is alarmed about.
NOTICE: Final = Coalesce(
    _first_notice('@.impact == "CAMPAIGNS_SUSPENDED"'),
    _first_notice("@.suspension_at <> null"),
    _first_notice('@.severity == "ALERT"'),
)
SAID: Final = JSONObject(code="billing_status", notice=NOTICE)


def find_cause() -> Subquery:
    """Return, for a queryset of accounts, what Amazon said about the profile that decides the account's standing.

    Null for an account whose standing comes from no profile.
    """
    # Of several such profiles the one that is stopped first. So each account has one cause, and causes add up.
    decisive = Profile.objects.filter(account=OuterRef("pk"), standing=OuterRef("standing")).order_by(
        F("suspension_at").asc(nulls_last=True), "pk"
    )
    return Subquery(decisive.values(said=SAID)[:1])
