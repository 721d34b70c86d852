from django.apps import AppConfig
from django.core.checks import Tags, register


class TokensConfig(AppConfig):
    name = "tokens"

    def ready(self) -> None:
        # The models that these modules read cannot be imported before this moment.
        from amazon_accounts.outgoing.libraries import instruct_libraries
        from tokens.checks import check_keys
        from tokens.people import sign_in
        from tokens.sign_in import factor_secrets
        from tokens.sign_in.oidc import links

        register(check_keys, Tags.database)
        instruct_libraries()
        factor_secrets.listen()
        sign_in.listen()
        links.listen()
