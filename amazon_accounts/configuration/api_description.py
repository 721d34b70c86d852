"""What the OpenAPI document says about the API as a whole, and how it is made."""

from typing import Any, Final

API_DESCRIPTION = (
    "Every Amazon Ads account behind the Amazon logins of a company: list and label accounts, sync, disconnect "
    "and reconnect many accounts at once, and get valid access tokens.\n\nPeople see the connections "
    "and accounts of their teams, and their role in a team says what they may do there. An object of another team is "
    "answered with 404. A path also works without "
    "its last slash.\n\nErrors are problem details (RFC 9457). Their `type` is the address of a page of the console "
    "that says what happened and what to do; `detail` and `errors` are about the one request."
    "\n\nA key may ask for so much in a time. The headers `RateLimit-Policy` and `RateLimit` of each answer say how much, "
    "and how much is left; an answer 429 says in `Retry-After` when to ask again."
)

SPECTACULAR_SETTINGS: Final[dict[str, Any]] = {
    "TITLE": "Amazon Accounts",
    "DESCRIPTION": API_DESCRIPTION,
    # The version of the API, as in its addresses.
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.api.documentation.finish",
    ],
    # Words that several objects have under one name. The other enumerations are named for their object and field.
    "ENUM_NAME_OVERRIDES": {
        "BatchItemStateEnum": ["waiting", "running", "succeeded", "failed", "skipped"],
        "BatchStateEnum": ["waiting", "running", "succeeded", "partial", "failed", "cancelled"],
        "ConnectLinkStateEnum": ["open", "used", "expired", "revoked"],
        "RegionEnum": ["NA", "EU", "FE"],
    },
    "GENERIC_ADDITIONAL_PROPERTIES": None,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
