"""Secrets at rest: sealed for their row and column, in the database and in memory."""

from tokens.encryption.fields import EncryptedTextField, context_of
from tokens.encryption.sealing import DecryptionError, MisplacedSecretError, has_key_of, reseal, seal, unseal
from tokens.encryption.secret import Secret

__all__ = [
    "DecryptionError",
    "EncryptedTextField",
    "MisplacedSecretError",
    "Secret",
    "context_of",
    "has_key_of",
    "reseal",
    "seal",
    "unseal",
]
