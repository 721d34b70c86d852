from django.urls import path

from dashboard.views import (
    accounts,
    api_errors,
    connecting,
    connection_actions,
    connections,
    history,
    monitoring,
    overview,
    sessions,
)
from dashboard.views.operations import detail, list_page, results

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/<uuid:account_id>/", accounts.account, name="account"),
    path("connect/amazon/", connecting.connect_amazon, name="connect-amazon"),
    path("connect/amazon/callback/", connecting.connect_amazon_callback, name="connect-amazon-callback"),
    path("connections/", connections.connections, name="connections"),
    path("connections/<uuid:connection_id>/", connections.connection, name="connection"),
    path("connections/<uuid:connection_id>/sync/", connection_actions.sync, name="connection-sync"),
    path("connections/<uuid:connection_id>/refresh/", connection_actions.refresh, name="connection-refresh"),
    path(
        "connections/<uuid:connection_id>/disconnect/",
        connection_actions.disconnect,
        name="connection-disconnect",
    ),
    path("connections/<uuid:connection_id>/forget/", connection_actions.forget, name="connection-forget"),
    path("connections/<uuid:connection_id>/update/", connection_actions.update, name="connection-update"),
    path("operations/", list_page.operations, name="operations"),
    path("operations/<uuid:batch_id>/", detail.operation, name="operation"),
    path("operations/<uuid:batch_id>/cancel/", detail.cancel_operation, name="operation-cancel"),
    path("operations/<uuid:batch_id>/retry/", detail.retry_operation, name="operation-retry"),
    path("operations/<uuid:batch_id>/results.csv", results.results_csv, name="operation-csv"),
    path("history/", history.history, name="history"),
    path("auth/sessions/", sessions.sessions, name="sessions"),
    path("auth/sessions/end/", sessions.end, name="sessions-end"),
    path("auth/sessions/end-everywhere/", sessions.end_everywhere, name="sessions-end-everywhere"),
    path("auth/sessions/end-keys/", sessions.end_keys, name="sessions-end-keys"),
    path("errors/", api_errors.api_errors, name="api-errors"),
    path("errors/<slug:code>/", api_errors.api_errors, name="api-error"),
    path("favicon.ico", monitoring.favicon, name="favicon"),
    path("healthz", monitoring.healthz, name="healthz"),
    path("readyz", monitoring.readyz, name="readyz"),
    path("metrics", monitoring.metrics, name="metrics"),
]
