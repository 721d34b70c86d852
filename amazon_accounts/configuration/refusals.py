"""The settings under which production does not start."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

# As `check --deploy` demands, and more different characters.
MIN_KEY_LENGTH = 50
MIN_KEY_CHARACTERS = 10


def refuse_unsafe_production(
    *,
    secret_key: str,
    debug: bool,
    allowed_hosts: list[str],
    addresses: Mapping[str, str],
    mails_password_in_clear: bool,
) -> None:
    """Raise ImproperlyConfigured with one line for each unsafe setting.

    `addresses` are the addresses by name that passwords or secrets are sent to.
    """
    problems = []
    if is_weak(secret_key):
        problems.append(
            f"SECRET_KEY is weak: it needs at least {MIN_KEY_LENGTH} random characters. This command makes a key: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    if debug:
        problems.append("DEBUG is on: error pages would show code and data to everybody.")
    if "*" in allowed_hosts:
        problems.append("ALLOWED_HOSTS contains *: name the hosts that people use.")
    for name, address in addresses.items():
        if address.lower().startswith("http://"):
            problems.append(f"{name} is http: passwords and secrets would be sent in clear. Use https.")
    if mails_password_in_clear:
        problems.append("EMAIL_URL sends its password in clear. Add ?tls=1 or use smtps.")
    if problems:
        hint = "INSECURE=1 starts production in spite of unsafe settings."
        raise ImproperlyConfigured("\n".join([*problems, hint]))


def is_weak(secret_key: str) -> bool:
    return (
        len(secret_key) < MIN_KEY_LENGTH
        or len(set(secret_key)) < MIN_KEY_CHARACTERS
        or secret_key.startswith("django-insecure")
    )
