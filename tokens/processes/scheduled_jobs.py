"""What the scheduler queues, and how often: the `JOBS` of every app."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule
from procrastinate.tasks import Task

from tokens.queues import defer_once


@dataclass(frozen=True)
class ScheduledJob:
    """A task that is queued every few seconds, unless it still waits or `only_if` says that there is no work."""

    task: Task[Any, Any, Any]
    every: int
    only_if: Callable[[], bool] | None = None

    @property
    def id(self) -> str:
        return self.task.name

    def defer(self) -> None:
        if self.only_if is None or self.only_if():
            defer_once(self.task, queueing_lock=self.id)


def scheduled_jobs() -> dict[str, ScheduledJob]:
    # Every app may have a module `jobs` with its list of JOBS.
    jobs = [
        job
        for config in apps.get_app_configs()
        if config.module is not None and module_has_submodule(config.module, "jobs")
        for job in getattr(importlib.import_module(f"{config.name}.jobs"), "JOBS", [])
    ]
    return {job.id: job for job in jobs}
