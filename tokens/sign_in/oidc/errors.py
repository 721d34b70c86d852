"""Why a sign-in by single sign-on ended. The text of each error is for the log, `why` is for the person."""

from http import HTTPStatus


class SignOnError(Exception):
    status = HTTPStatus.BAD_REQUEST
    why = ""


class UnknownAnswerError(SignOnError):
    why = "This sign-in was finished already, was begun in another browser, or was begun more than 10 minutes ago."


class DeniedError(SignOnError):
    status = HTTPStatus.FORBIDDEN
    why = "You went back, or your organisation’s provider did not let you in."


class RefusedError(SignOnError):
    why = "Your organisation’s provider answered with an error. An administrator finds it in the log."


class NotAskedAgainError(SignOnError):
    status = HTTPStatus.FORBIDDEN
    why = "Your organisation’s provider did not show that you signed in there just now, so it is not certain that it is you."


class AnotherPersonError(SignOnError):
    status = HTTPStatus.FORBIDDEN
    why = "You signed in at your organisation’s provider as somebody else than the person who is signed in here."


class SameTimeError(SignOnError):
    status = HTTPStatus.CONFLICT
    why = "Another sign-in of yours was finished at the same time."


class ProviderDownError(SignOnError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    why = "Your organisation’s provider does not answer. Try again in a minute."


class UselessAnswerError(SignOnError):
    status = HTTPStatus.BAD_GATEWAY
    why = (
        "Your organisation’s provider answered something that this console cannot use. An administrator finds it in "
        "the log."
    )
