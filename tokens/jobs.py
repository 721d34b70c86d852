"""What the scheduler queues for this app."""

from django.conf import settings

from tokens.alerts.daily import send_waiting_alerts, waiting_mail_is_due
from tokens.alerts.delivery import due_alerts_exist, send_due_alerts
from tokens.connect.consent import warn_of_consent_ends
from tokens.connect.reminders import send_renewal_mails
from tokens.people.audit.daily_mail import mail_audit_end, mail_is_due
from tokens.people.audit.tasks import chain_audit, entries_wait, prune_audit
from tokens.people.key_ends import warn_of_ending_keys
from tokens.people.pruning import prune_sessions
from tokens.processes.pruning import prune_tokens_histories
from tokens.processes.scheduled_jobs import ScheduledJob
from tokens.processes.stalled import rescue_stalled_jobs
from tokens.refresh.tasks import refresh_due_tokens
from tokens.webhooks.placing import events_wait, place_events
from tokens.webhooks.sending import deliveries_are_due, queue_due_webhooks

JOBS = [
    ScheduledJob(refresh_due_tokens, every=settings.TOKEN_REFRESH_CHECK_SECONDS),
    ScheduledJob(send_due_alerts, every=30, only_if=due_alerts_exist),
    ScheduledJob(send_waiting_alerts, every=30, only_if=waiting_mail_is_due),
    ScheduledJob(rescue_stalled_jobs, every=15),
    ScheduledJob(place_events, every=5, only_if=events_wait),
    ScheduledJob(queue_due_webhooks, every=5, only_if=deliveries_are_due),
    ScheduledJob(warn_of_consent_ends, every=6 * 3600),
    ScheduledJob(send_renewal_mails, every=3600),
    ScheduledJob(warn_of_ending_keys, every=6 * 3600),
    ScheduledJob(prune_tokens_histories, every=3600),
    ScheduledJob(prune_sessions, every=3600),
    ScheduledJob(chain_audit, every=60, only_if=entries_wait),
    ScheduledJob(prune_audit, every=3600),
    # Once a day: the mail that was sent counts, because every job runs when a scheduler begins to lead.
    ScheduledJob(mail_audit_end, every=3600, only_if=mail_is_due),
]
