"""Connections, their tokens, the history of each, teams, and people's sessions and API keys."""

from tokens.models.alert import Alert, AlertAddress, AlertDelivery, AlertQuerySet, MutedAlertKind
from tokens.models.alert_times import AlertTimes, WaitingAlert
from tokens.models.api_key import ApiKey, ApiKeyQuerySet
from tokens.models.audit import (
    AuditCheckpoint,
    AuditEntry,
    AuditEntryQuerySet,
    AuditKey,
    AuditLink,
    AuditMail,
)
from tokens.models.authorization import AuthorizationAttempt
from tokens.models.connect_link import ConnectLink, ConnectLinkQuerySet
from tokens.models.connection import (
    BROKEN,
    FAILING,
    PAUSED,
    Connection,
    ConnectionQuerySet,
    ConsentState,
    all_regions,
    first_consent_with_end,
    time_until_late,
    where_consent,
    where_late,
    where_live,
)
from tokens.models.erased_person import ErasedPerson
from tokens.models.event import Event, EventQuerySet
from tokens.models.failure import Failure, FailureQuerySet, Watch
from tokens.models.heartbeat import Heartbeat
from tokens.models.invitation import Invitation, InvitationQuerySet
from tokens.models.period import ConnectionPeriod
from tokens.models.refresh import TokenRefresh, TokenRefreshQuerySet
from tokens.models.renewal_mail import RenewalMail, RenewalMailQuerySet
from tokens.models.request_clock import RequestClock
from tokens.models.saved_view import SavedView, SavedViewQuerySet
from tokens.models.scheduler_lead import SchedulerLead
from tokens.models.session import Session, SessionQuerySet
from tokens.models.sign_in import SignInPace
from tokens.models.team import (
    MAIN,
    ChosenTeam,
    Membership,
    MembershipQuerySet,
    Team,
    TeamLogo,
    TeamQuerySet,
    TeamRowsQuerySet,
)
from tokens.models.visit import ActivityVisit
from tokens.models.webhook import (
    Webhook,
    WebhookDelivery,
    WebhookDeliveryQuerySet,
    WebhookQuerySet,
)

__all__ = [
    "BROKEN",
    "FAILING",
    "MAIN",
    "PAUSED",
    "ActivityVisit",
    "Alert",
    "AlertAddress",
    "AlertDelivery",
    "AlertQuerySet",
    "AlertTimes",
    "ApiKey",
    "ApiKeyQuerySet",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditEntryQuerySet",
    "AuditKey",
    "AuditLink",
    "AuditMail",
    "AuthorizationAttempt",
    "ChosenTeam",
    "ConnectLink",
    "ConnectLinkQuerySet",
    "Connection",
    "ConnectionPeriod",
    "ConnectionQuerySet",
    "ConsentState",
    "ErasedPerson",
    "Event",
    "EventQuerySet",
    "Failure",
    "FailureQuerySet",
    "Heartbeat",
    "Invitation",
    "InvitationQuerySet",
    "Membership",
    "MembershipQuerySet",
    "MutedAlertKind",
    "RenewalMail",
    "RenewalMailQuerySet",
    "RequestClock",
    "SavedView",
    "SavedViewQuerySet",
    "SchedulerLead",
    "Session",
    "SessionQuerySet",
    "SignInPace",
    "Team",
    "TeamLogo",
    "TeamQuerySet",
    "TeamRowsQuerySet",
    "TokenRefresh",
    "TokenRefreshQuerySet",
    "WaitingAlert",
    "Watch",
    "Webhook",
    "WebhookDelivery",
    "WebhookDeliveryQuerySet",
    "WebhookQuerySet",
    "all_regions",
    "first_consent_with_end",
    "time_until_late",
    "where_consent",
    "where_late",
    "where_live",
]
