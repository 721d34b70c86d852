"""The scopes of a consent, as Login with Amazon writes them: words with spaces or plus signs in between."""


def split_scopes(text: str) -> set[str]:
    return set(text.replace("+", " ").split())


def is_identity(scope: str) -> bool:
    # `profile`, or a part of it as in `profile:user_id`.
    return scope.split(":", 1)[0] == "profile"


def tells_identity(text: str) -> bool:
    return any(map(is_identity, split_scopes(text)))
