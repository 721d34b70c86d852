"""Every task of this app. Procrastinate imports the module `tasks` of each installed app."""

from tokens.alerts.daily import send_waiting_alerts
from tokens.alerts.delivery import send_due_alerts
from tokens.connect.consent import warn_of_consent_ends
from tokens.connect.identification import identify_login
from tokens.connect.links import mail_connect_link
from tokens.connect.reminders import send_renewal_mails
from tokens.connect.renewal_mails import mail_renewal_links
from tokens.people.audit.daily_mail import mail_audit_end
from tokens.people.audit.tasks import chain_audit, prune_audit
from tokens.people.invitations import mail_invitation
from tokens.people.pruning import prune_sessions
from tokens.processes.pruning import prune_tokens_histories
from tokens.processes.stalled import rescue_stalled_jobs
from tokens.refresh.tasks import refresh_connection, refresh_due_tokens, refresh_for_person
from tokens.sign_in.password_reset import mail_password_reset, mail_password_resets
from tokens.webhooks.placing import place_events
from tokens.webhooks.sending import queue_due_webhooks, send_to_webhook

__all__ = [
    "chain_audit",
    "identify_login",
    "mail_audit_end",
    "mail_connect_link",
    "mail_invitation",
    "mail_password_reset",
    "mail_password_resets",
    "mail_renewal_links",
    "place_events",
    "prune_audit",
    "prune_sessions",
    "prune_tokens_histories",
    "queue_due_webhooks",
    "refresh_connection",
    "refresh_due_tokens",
    "refresh_for_person",
    "rescue_stalled_jobs",
    "send_due_alerts",
    "send_renewal_mails",
    "send_to_webhook",
    "send_waiting_alerts",
    "warn_of_consent_ends",
]
