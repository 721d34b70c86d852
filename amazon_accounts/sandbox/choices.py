"""Every behaviour that Amazon's documentation leaves open, in one table.

Where Amazon publishes nothing, or where its pages contradict each other, each possible behaviour is a value
of a field here. A test may change the field: the client has to work with every value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

#: The values of `retry_after` besides a number of seconds.
RETRY_AFTER = ("alternate", "seconds", "date", "absent", "malformed", "negative")


class UnknownChoiceError(ValueError):
    """A field of Choices is unknown, or its value is."""


@dataclass
class Choices:
    # Consent.
    #: The login that consents without seeing a page; empty shows the page.
    auto_consent: str = ""
    #: Accept any http://localhost or 127.0.0.1 address that ends in /connect/amazon/callback/.
    loopback_return_urls: bool = True
    #: Whether an unknown scope is answered with a page at Amazon (as seen) or with a redirect (as in RFC 6749).
    bad_scope: Literal["page", "redirect"] = "page"
    #: Requested scopes that the person does not grant, separated by spaces.
    withheld_scopes: str = ""
    #: Whether the callback names the granted scopes.
    callback_scope: Literal["present", "absent"] = "present"

    # Tokens.
    code_seconds: int = 300
    access_token_seconds: int = 3600
    #: Life of a refresh token after the consent; 0 is unlimited.
    refresh_token_days: int = 365
    #: What a refresh does to the refresh token.
    refresh_rotation: Literal["same", "rotate", "rotate_and_end"] = "same"
    #: Whether the answer to a refresh repeats the refresh token.
    refresh_answer: Literal["with_refresh_token", "without_refresh_token"] = "with_refresh_token"
    expires_in: Literal["number", "string"] = "number"
    #: `request_id` and `error_index` in the errors of Login with Amazon.
    lwa_error_details: bool = True
    user_profile: Literal["current", "old"] = "current"
    #: Whether an unexpired access token works after its grant was revoked.
    after_revocation: Literal["works", "refused"] = "works"

    # All API paths.
    unknown_path: Literal[404, 403] = 404
    wrong_method: Literal[403, 405] = 403
    plain_json_body: Literal["refused", "accepted"] = "refused"
    #: `Retry-After` of a 429 unless its limit says otherwise: one of RETRY_AFTER, or a number of seconds.
    retry_after: str = "alternate"

    # /adsAccounts
    #: Profile id and entity id of one country in two objects, in one object, or either way.
    alternate_ids: Literal["separate", "merged", "mixed"] = "mixed"
    united_kingdom: Literal["UK", "GB"] = "UK"
    #: The list as in the specification, or as an array of {"adsAccount": ...} as in Amazon's guide.
    list_shape: Literal["object", "array"] = "object"
    end_of_list: Literal["absent", "empty", "null"] = "absent"
    #: The maximum of accounts on a page, whatever the caller asks for.
    max_page_size: int = 100
    #: Whether a nextToken names a place in the list, so that accounts that leave the list move others past the
    #: reader, or the last account that was shown, in the order of the ids.
    paging: Literal["place", "cursor"] = "place"
    #: Life of a nextToken; 0 is unlimited.
    next_token_seconds: int = 0
    #: A new account shows its countries at once, and their profile ids after this time.
    profile_id_delay_seconds: int = 0

    # /v2/profiles
    default_access_level: Literal["edit", "view"] = "edit"
    profile_id: Literal["number", "string"] = "number"
    bad_profile_id: Literal[400, 404] = 400
    put_profiles: Literal[207, 200] = 207

    # /managerAccounts
    no_dsp_advertiser: Literal["empty", "null", "absent"] = "empty"
    no_profile: Literal["null", "empty", "absent"] = "null"
    manager_errors: Literal["message", "empty"] = "message"

    # /dsp/advertisers
    bad_dsp_parameter: Literal[400, 422] = 400

    # /billing
    #: The maximum of pairs in one request: Amazon's specification says 30, one client says 10.
    max_billing_pairs: int = 30
    billing_of_other_regions: Literal["not_found", "answered"] = "not_found"
    #: The status of notifications for a request without the header `Amazon-Ads-AccountId`. With a status other than
    #: 200 the header must name an ads account of the login, and the pairs of that account alone are found.
    notifications_without_account: Literal[200, 400, 401, 403] = 200

    def change(self, changes: Mapping[str, object]) -> None:
        """Change these fields, or none of them if one is unknown."""
        hints = get_type_hints(type(self))
        for name, value in changes.items():
            if name not in hints:
                raise UnknownChoiceError(f"No switch is called {name!r}; there are {', '.join(hints)}.")
            _check_position(name, value, hints[name])
        for name, value in changes.items():
            setattr(self, name, value)

    def reset(self) -> None:
        for field in fields(self):
            setattr(self, field.name, field.default)


def _check_position(name: str, value: object, hint: Any) -> None:
    if get_origin(hint) is Literal:
        if value not in get_args(hint) or isinstance(value, bool):
            raise UnknownChoiceError(
                f"{name} is one of {', '.join(map(repr, get_args(hint)))}, not {value!r}."
            )
    elif type(value) is not hint:
        raise UnknownChoiceError(f"{name} takes {hint.__name__}, not {value!r}.")
    elif name == "retry_after":
        check_retry_after(str(value))


def check_retry_after(value: str) -> None:
    """Raise UnknownChoiceError unless the value is a number of seconds or one of RETRY_AFTER."""
    if value not in RETRY_AFTER and not value.replace(".", "", 1).isdigit():
        raise UnknownChoiceError(
            f"retry_after is a number of seconds or one of {', '.join(RETRY_AFTER)}, not {value!r}."
        )
