"""What a consent allows, as Login with Amazon writes it: words with spaces or plus signs in between."""


def scopes_in(text: str) -> set[str]:
    return set(text.replace("+", " ").split())


def is_identity(scope: str) -> bool:
    """Say whether this scope is about who it is, rather than about ad accounts: `profile`, `profile:user_id`."""
    return scope.split(":", 1)[0] == "profile"


def tell_identity(text: str) -> bool:
    """Say whether with these scopes Amazon tells which login it is."""
    return any(map(is_identity, scopes_in(text)))
