"""The audit trail. Every operation writes its entry with `record_audit`, in its own transaction."""

from tokens.people.audit.actions import Action
from tokens.people.audit.record import AuditedObject, record_audit, record_many

__all__ = ["Action", "AuditedObject", "record_audit", "record_many"]
