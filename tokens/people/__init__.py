"""Who works with the console: people and their API keys."""
