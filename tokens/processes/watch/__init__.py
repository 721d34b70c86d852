"""The watcher: tells people about failures that last, and when they are over. It runs in every process."""
