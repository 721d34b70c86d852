"""Events for other systems: written by operations, placed in order, and sent to webhooks."""
