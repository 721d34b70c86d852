"""The addresses of the REST API under /api/v1/. Each address also works without its last slash."""

from django.urls import include, path, re_path

from accounts.api import (
    access_token,
    accounts,
    audit,
    availability,
    batch,
    connect_links,
    connection_batch,
    connections,
    events,
    export,
    health,
    histories,
    notes,
    profiles,
    teams,
    views,
    webhooks,
)
from accounts.api.problems import add_last_slash, answer_not_found
from accounts.api.schema import SchemaView, docs

app_name = "api"
CONNECTION = [
    path("", connections.ConnectionDetail.as_view(), name="connection"),
    path("access-token/", access_token.ConnectionAccessToken.as_view(), name="connection-access-token"),
    path("availability/", availability.ConnectionAvailability.as_view(), name="connection-availability"),
    path("disconnect/", connections.ConnectionDisconnect.as_view(), name="connection-disconnect"),
    path("move/", connections.ConnectionMove.as_view(), name="connection-move"),
    path("refresh/", connections.ConnectionRefresh.as_view(), name="connection-refresh"),
    path("refreshes/", histories.RefreshList.as_view(), name="connection-refreshes"),
    path("sync/", connections.ConnectionSync.as_view(), name="connection-sync"),
]
CONNECTION_BATCH = [
    path("", connection_batch.ConnectionBatchDetail.as_view(), name="connection-batch"),
    path("items/", connection_batch.ConnectionBatchItemList.as_view(), name="connection-batch-items"),
    path("cancel/", connection_batch.ConnectionBatchCancel.as_view(), name="connection-batch-cancel"),
    path("retry/", connection_batch.ConnectionBatchRetry.as_view(), name="connection-batch-retry"),
]
WEBHOOK = [
    path("", webhooks.WebhookDetail.as_view(), name="webhook"),
    path("deliveries/", webhooks.DeliveryList.as_view(), name="webhook-deliveries"),
    path(
        "deliveries/<uuid:delivery_id>/redeliver/",
        webhooks.DeliveryRedeliver.as_view(),
        name="webhook-redeliver",
    ),
    path("rotate-secret/", webhooks.WebhookRotateSecret.as_view(), name="webhook-rotate-secret"),
    path("test/", webhooks.WebhookTest.as_view(), name="webhook-test"),
]
urlpatterns = [
    path("accounts/", accounts.AccountList.as_view(), name="accounts"),
    path("accounts/amazon-profiles/", profiles.ProfileList.as_view(), name="profiles"),
    path("accounts/batch/", batch.BatchStart.as_view(), name="batches"),
    path("accounts/batch/<uuid:batch_id>/", batch.BatchDetail.as_view(), name="batch"),
    path("accounts/batch/<uuid:batch_id>/items/", batch.BatchItemList.as_view(), name="batch-items"),
    path("accounts/batch/<uuid:batch_id>/cancel/", batch.BatchCancel.as_view(), name="batch-cancel"),
    path("accounts/batch/<uuid:batch_id>/retry/", batch.BatchRetry.as_view(), name="batch-retry"),
    path("accounts/batch/<uuid:batch_id>/undo/", batch.BatchUndo.as_view(), name="batch-undo"),
    path("accounts/changes/", histories.ChangeList.as_view(), name="changes"),
    path("accounts/export/", export.AccountExport.as_view(), name="export"),
    path("accounts/health/", health.Health.as_view(), name="health"),
    path("accounts/sync-runs/", histories.SyncRunList.as_view(), name="sync-runs"),
    path("accounts/<uuid:account_id>/", accounts.AccountDetail.as_view(), name="account"),
    path(
        "accounts/<uuid:account_id>/changes/", histories.AccountChangeList.as_view(), name="account-changes"
    ),
    path("audit/", audit.AuditList.as_view(), name="audit"),
    path("connect-links/", connect_links.ConnectLinkList.as_view(), name="connect-links"),
    path(
        "connect-links/<uuid:link_id>/revoke/",
        connect_links.ConnectLinkRevoke.as_view(),
        name="connect-link-revoke",
    ),
    path("connections/access-tokens/", access_token.AccessTokens.as_view(), name="access-tokens"),
    path("connections/", connections.ConnectionList.as_view(), name="connections"),
    path("connections/batch/", connection_batch.ConnectionBatchStart.as_view(), name="connection-batches"),
    path("connections/batch/<uuid:batch_id>/", include(CONNECTION_BATCH)),
    path("connections/<uuid:connection_id>/", include(CONNECTION)),
    path("events/", events.EventList.as_view(), name="events"),
    path("notes/", notes.NoteList.as_view(), name="notes"),
    path("notes/<uuid:note_id>/", notes.NoteDetail.as_view(), name="note"),
    path("teams/", teams.TeamList.as_view(), name="teams"),
    path("teams/<uuid:team_id>/", teams.TeamDetail.as_view(), name="team"),
    path("teams/<uuid:team_id>/members/", teams.MemberList.as_view(), name="members"),
    path("teams/<uuid:team_id>/members/<str:user_name>/", teams.MemberDetail.as_view(), name="member"),
    path("views/", views.ViewList.as_view(), name="views"),
    path("views/<uuid:view_id>/", views.ViewDetail.as_view(), name="view"),
    path("webhooks/", webhooks.WebhookList.as_view(), name="webhooks"),
    path("webhooks/<uuid:webhook_id>/", include(WEBHOOK)),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    re_path(r".*[^/]$", add_last_slash),
    re_path(r"", answer_not_found),
]
