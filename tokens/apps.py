from django.apps import AppConfig
from django.core.checks import Tags, register


class TokensConfig(AppConfig):
    name = "tokens"

    def ready(self) -> None:
        # The models that the check reads cannot be imported before this moment.
        from tokens.checks import check_keys

        register(check_keys, Tags.database)
