"""Signals for other apps."""

from django.dispatch import Signal

# Sent inside the transaction that makes the change, with `connection` and `change`: "connected" (a new one),
# "healed" (reconnected in place), "broken" (Amazon refuses the login), "disconnected" (here, tokens erased), "forgotten"
# (here, names erased), "regions" (other regions are read; with `user`, who changed them), "merged" (ended, because
# the connection `into` has the same Amazon login) or "moved" (it has another team; with
# `old_team`, the id of the team that it had).
connection_changed = Signal()

# Sent after each refresh of a connection whose Amazon login is not identified yet, with `connection_id`.
login_unidentified = Signal()

# Sent when the daily mail to a person is written, with `user`, `since` and `until`. A receiver returns a list of sentences
# about what changed meanwhile among what the person sees.
changes_wanted = Signal()

# Sent when the watcher looks for logins that fail. A receiver returns a list of
# `tokens.processes.watch.logins.FailingLogin`.
failing_logins_wanted = Signal()
