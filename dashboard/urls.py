from django.urls import path

from dashboard.views.placeholder import soon

urlpatterns = [
    path("", soon, name="overview"),
    path("accounts/", soon, name="accounts"),
    path("accounts/<uuid:account_id>/", soon, name="account"),
    path("connections/", soon, name="connections"),
    path("connections/<uuid:connection_id>/", soon, name="connection"),
    path("operations/", soon, name="operations"),
    path("operations/<uuid:batch_id>/", soon, name="operation"),
    path("history/", soon, name="history"),
    path("healthz", soon, name="healthz"),
    path("readyz", soon, name="readyz"),
    path("metrics", soon, name="metrics"),
]
