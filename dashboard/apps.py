"""Two apps: the pages, and Django's admin with the console's site as `admin.site`."""

from django.apps import AppConfig

# With `import AdminConfig` Django would take that class for a configuration of this app.
from django.contrib.admin import apps as admin_apps


class DashboardConfig(AppConfig):
    name = "dashboard"
    default = True


class ConsoleAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "dashboard.frame.site.ConsoleSite"
