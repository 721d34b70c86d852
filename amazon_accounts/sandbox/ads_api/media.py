"""Media types of the Ads API, and the Accept header."""

import re

LIST_TYPE = "application/vnd.listaccountsresource.v1+json"
ACCOUNT_TYPE = "application/vnd.accountresource.v1+json"
MANAGER_TYPE = "application/vnd.getmanageraccountsresponse.v1+json"
BILLING_STATUS_REQUEST_TYPE = "application/vnd.bulkgetbillingstatusrequestbody.v1+json"
BILLING_STATUS_TYPE = "application/vnd.bulkgetbillingstatusresponse.v1+json"
BILLING_NOTIFICATION_REQUEST_TYPE = "application/vnd.billingnotifications.v1+json"
BILLING_NOTIFICATION_TYPE = "application/vnd.bulkgetbillingnotificationsresponse.v1+json"


def media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def accepts(header: str, produced: str) -> bool:
    """Whether an Accept header allows this type; a missing header allows every type."""
    if not header.strip():
        return True
    for part in header.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        is_refused = any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
        if name in {produced, "*/*", "application/*"} and not is_refused:
            return True
    return False
