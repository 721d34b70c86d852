"""The forms that take a second factor: the tries are limited, and each refusal is one line in the log."""

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as codes
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as passkeys
from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from tokens.encryption import DecryptionError
from tokens.people.audit import Action, record_audit
from tokens.sign_in.adapters import answer_too_many, quote_name, record_refused_sign_in
from tokens.sign_in.known_browser import KnownBrowser
from tokens.sign_in.oidc.links import must_use_provider
from tokens.sign_in.remote_address import read_remote_address
from tokens.sign_in.throttle import Attempt

logger = logging.getLogger("tokens.sign_in")

MAX_CREDENTIAL_CHARACTERS = 65_536
# What fido2 raises, besides its refusals, about an answer that no browser gives.
MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)


class CredentialField(forms.JSONField):
    """The answer of a passkey: an object. allauth would store 0 or false as a passkey without reading it."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput)

    def to_python(self, value: Any) -> Any:
        malformed = get_adapter().validation_error("incorrect_code")
        if len(value or "") > MAX_CREDENTIAL_CHARACTERS:
            raise malformed
        try:
            credential = super().to_python(value)
        except RecursionError:
            raise malformed from None
        if credential not in self.empty_values and not isinstance(credential, dict):
            raise malformed
        return credential

    def bound_data(self, _data: Any, _initial: Any) -> Any:
        # An answer serves once, and a malformed text cannot be shown.
        return None


@contextmanager
def read_passkey() -> Iterator[None]:
    try:
        yield
    except MALFORMED as error:
        raise get_adapter().validation_error("incorrect_code") from error


@contextmanager
def one_try(user: User) -> Iterator[None]:
    """Take a turn of the person before the factor is checked, and give it back if the factor is right."""
    request = context.request
    name, address = user.get_username(), read_remote_address(request)
    attempt = Attempt.make_for_second_factor(user.pk, address, KnownBrowser.read(request).id_for(name))
    who = f"{quote_name(name)} (user {user.pk})"
    if seconds := attempt.seconds_to_wait():
        logger.warning("Throttled a second factor of %s from %s for %d s.", who, address, seconds)
        raise ImmediateHttpResponse(answer_too_many(request, seconds))
    try:
        yield
    except ValidationError:
        logger.warning("Refused a second factor of %s from %s.", who, address)
        record_refused_sign_in(user, "second factor")
        raise
    except DecryptionError as error:
        logger.warning("The second factor of %s cannot be read. %s", who, error)
        raise get_adapter().validation_error("incorrect_code") from error
    attempt.give_back()


class AuthenticateForm(codes.AuthenticateForm):
    def clean_code(self) -> str:
        with one_try(self.user):
            return str(super().clean_code())


class ReauthenticateForm(codes.ReauthenticateForm):
    def clean_code(self) -> str:
        with one_try(self.user):
            return str(super().clean_code())


class AuthenticateWebAuthnForm(passkeys.AuthenticateWebAuthnForm):
    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        with one_try(self.user), read_passkey():
            return super().clean_credential()


class ReauthenticateWebAuthnForm(passkeys.ReauthenticateWebAuthnForm):
    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        with one_try(self.user), read_passkey():
            return super().clean_credential()


class LoginWebAuthnForm(passkeys.LoginWebAuthnForm):
    credential = CredentialField()

    # A passkey cannot be guessed, and the person is whom the passkey names. allauth limits the address.
    def clean_credential(self) -> Authenticator:
        try:
            with read_passkey():
                passkey = super().clean_credential()
        except ValidationError:
            logger.warning("Refused a passkey from %s.", read_remote_address(context.request))
            record_refused_sign_in(None, "passkey")
            raise
        if must_use_provider(passkey.user):
            logger.warning("Refused the passkey of user %s, who must use single sign-on.", passkey.user.pk)
            record_refused_sign_in(passkey.user, "passkey past single sign-on")
            raise ValidationError("Log in with single sign-on: a passkey is no way past the provider.")
        return passkey


class AddWebAuthnForm(passkeys.AddWebAuthnForm):
    credential = CredentialField()

    def clean(self) -> dict[str, Any]:
        with read_passkey():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


class EditWebAuthnForm(passkeys.EditWebAuthnForm):
    def save(self) -> Authenticator:
        # allauth sends no signal. The trail has no name of a passkey: people type there what they like.
        with transaction.atomic():
            factor: Authenticator = super().save()
            record_audit(factor.user, Action.SECOND_FACTOR_RENAME, factor)
        return factor
