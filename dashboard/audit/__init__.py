"""How the audit trail reads on its page."""
