"""Two apps: our pages, and Django's admin with our site as `admin.site`."""

from django.apps import AppConfig

# Not `import AdminConfig`: Django would take it for a configuration of this app.
from django.contrib.admin import apps as admin_apps


class DashboardConfig(AppConfig):
    name = "dashboard"
    default = True


class ConsoleAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "dashboard.frame.site.ConsoleSite"
