from django.urls import path

from dashboard.views import accounts, connections, monitoring
from dashboard.views.placeholder import soon

urlpatterns = [
    path("", soon, name="overview"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/<uuid:account_id>/", accounts.account, name="account"),
    path("connections/", connections.connections, name="connections"),
    path("connections/<uuid:connection_id>/", connections.connection, name="connection"),
    path("connections/<uuid:connection_id>/sync/", soon, name="connection-sync"),
    path("connections/<uuid:connection_id>/refresh/", soon, name="connection-refresh"),
    path("connections/<uuid:connection_id>/disconnect/", soon, name="connection-disconnect"),
    path("operations/", soon, name="operations"),
    path("operations/<uuid:batch_id>/", soon, name="operation"),
    path("history/", soon, name="history"),
    path("healthz", monitoring.healthz, name="healthz"),
    path("readyz", monitoring.readyz, name="readyz"),
    path("metrics", monitoring.metrics, name="metrics"),
]
