"""The long-running processes: worker, scheduler, heartbeats, and what their commands share."""
