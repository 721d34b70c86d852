"""The database of the tests: the embedded server of this DATA_DIR, or the one that DATABASE_URL names."""

from django.conf import settings

from amazon_accounts.starter.database import use_local_database

pytest_plugins = ["tests.sandbox_fixtures"]


def pytest_configure() -> None:
    """Start the server, in the first process and in each of xdist's; the last to end stops it."""
    use_local_database()
    # A test's data need not survive a power cut; what the server keeps for others stays durable.
    settings.DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"
    # Pages name their styles and scripts as they lie in the apps: nothing was collected.
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.WHITENOISE_AUTOREFRESH = True
