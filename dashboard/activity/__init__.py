"""The activity page: what changed, what failed and what people did, newest first."""
