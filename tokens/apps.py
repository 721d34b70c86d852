from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate, post_save


class TokensConfig(AppConfig):
    name = "tokens"

    def ready(self) -> None:
        # The models that these modules read cannot be imported before this moment.
        from django.contrib.auth.models import User

        from amazon_accounts.outgoing.libraries import instruct_libraries
        from amazon_accounts.telemetry import start_telemetry
        from tokens.checks import check_stored
        from tokens.people import sign_in
        from tokens.people.teams import create_main_team, let_first_superuser_administer
        from tokens.sign_in import factor_secrets
        from tokens.sign_in.oidc import links
        from tokens.webhooks import events

        post_migrate.connect(create_main_team, sender=self)
        post_save.connect(let_first_superuser_administer, sender=User)
        register(check_stored, Tags.database)
        instruct_libraries()
        start_telemetry()
        factor_secrets.listen()
        sign_in.listen()
        links.listen()
        events.listen()
