"""Proof Key for Code Exchange, RFC 7636."""

import base64
import hashlib
import hmac
import re

METHODS = ("S256", "plain")
CHALLENGES = {"S256": re.compile(r"[A-Za-z0-9_-]{43}"), "plain": re.compile(r"[A-Za-z0-9._~-]{43,128}")}


def is_challenge(challenge: str, method: str) -> bool:
    return method in METHODS and CHALLENGES[method].fullmatch(challenge) is not None


def is_proof(verifier: str, challenge: str, method: str) -> bool:
    """Whether the verifier fits the challenge. Without a challenge, a verifier is refused."""
    if not challenge or not verifier:
        return challenge == verifier
    if method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(verifier.encode(), challenge.encode())
