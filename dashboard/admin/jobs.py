"""Scheduled and queued jobs."""

from django.contrib import admin
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob, ProcrastinateWorker
from unfold.decorators import display

from dashboard.admin.read_only import ReadOnlyAdmin, ReadOnlyInline
from dashboard.templatetags.console import duration


@admin.register(DjangoJob)
class ScheduledJobAdmin(ReadOnlyAdmin):
    list_display = ["id", "next_run_time"]
    exclude = ["job_state"]


@admin.register(DjangoJobExecution)
class ScheduledJobExecutionAdmin(ReadOnlyAdmin):
    list_display = ["run_time", "job_id", "status_label", "took"]
    list_filter = ["status"]
    ordering = ["-id"]

    @display(
        description="Status",
        label={
            DjangoJobExecution.SUCCESS: "success",
            DjangoJobExecution.SENT: "info",
            DjangoJobExecution.MAX_INSTANCES: "warning",
            DjangoJobExecution.MISSED: "warning",
            DjangoJobExecution.ERROR: "danger",
        },
    )
    def status_label(self, execution: DjangoJobExecution) -> str:
        return str(execution.status)

    @display(description="Took")
    def took(self, execution: DjangoJobExecution) -> str:
        return duration(float(execution.duration)) if execution.duration is not None else ""


class EventInline(ReadOnlyInline):
    model = ProcrastinateEvent
    fields = ["type", "at"]
    readonly_fields = fields
    ordering = ["id"]


@admin.register(ProcrastinateJob)
class QueuedJobAdmin(ReadOnlyAdmin):
    list_display = ["id", "task", "status_label", "queue_name", "scheduled_at", "attempts"]
    list_filter = ["status"]
    search_fields = ["=queue_name", "task_name"]
    ordering = ["-id"]
    inlines = [EventInline]

    @display(description="Task")
    def task(self, job: ProcrastinateJob) -> str:
        return job.task_name.rpartition(".")[2]

    @display(
        description="Status",
        label={
            "todo": "info",
            "doing": "info",
            "succeeded": "success",
            "failed": "danger",
            "cancelled": "warning",
            "aborted": "warning",
        },
    )
    def status_label(self, job: ProcrastinateJob) -> str:
        return job.status


@admin.register(ProcrastinateWorker)
class QueueWorkerAdmin(ReadOnlyAdmin):
    list_display = ["id", "last_heartbeat"]
    ordering = ["-last_heartbeat"]
