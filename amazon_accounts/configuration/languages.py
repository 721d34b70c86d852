"""The languages of the pages of clients with a link, and of their mails. The console itself is in English."""

from typing import Final

CLIENT_LANGUAGES: Final = [
    ("en", "English"),
    ("de", "Deutsch"),
    ("fr", "Français"),
    ("es", "Español"),
    ("it", "Italiano"),
    ("ja", "日本語"),
]
