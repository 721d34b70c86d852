"""Keeping access tokens valid: what is due, the lease, one refresh, its outcome, and handing tokens out."""
