from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import receivers  # noqa: F401 - it connects itself once the models are there
        from accounts.permissions import create_missing_groups

        post_migrate.connect(create_missing_groups, sender=self)
