"""A passkey in software: it answers as an authenticator does, after its person was verified."""

import json
import os
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

ADD = "/auth/2fa/webauthn/add/"
LOG_IN = "/auth/2fa/webauthn/login/"
VERIFIED = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV


class SoftwarePasskey:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = os.urandom(16)
        self._user_handle = ""

    def add(self, client: Client) -> None:
        """Add the passkey to the person who is signed in, as one that signs in without a password."""
        options = client.get(ADD).context["js_data"]["creation_options"]["publicKey"]
        self._user_handle = options["user"]["id"]
        public_key = ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]
        data = AuthenticatorData.create(
            self._host_digest(),
            VERIFIED | AuthenticatorData.FLAG.AT,
            0,
            AttestedCredentialData.create(Aaguid(bytes(16)), self._id, public_key),
        )
        answer = self._answer(
            clientDataJSON=self._client_data("webauthn.create", options["challenge"]),
            attestationObject=AttestationObject.create("none", data, {}),
        )
        form = {"name": "software", "passwordless": "on", "credential": json.dumps(answer)}
        response = client.post(ADD, form)
        assert response.status_code == 302, response.content.decode()

    def log_in(self, client: Client) -> Any:
        """Press the button of passkeys at the login; return the answer to what the passkey sends."""
        return self.finish(client, self.begin(client))

    def begin(self, client: Client) -> str:
        begun = client.get(LOG_IN, headers={"X-Requested-With": "XMLHttpRequest"})
        return str(begun.json()["request_options"]["publicKey"]["challenge"])

    def finish(self, client: Client, challenge: str) -> Any:
        data = AuthenticatorData.create(self._host_digest(), VERIFIED, 1)
        client_data = self._client_data("webauthn.get", challenge)
        signature = self._key.sign(data + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        answer = self._answer(clientDataJSON=client_data, authenticatorData=data, signature=signature)
        answer["response"]["userHandle"] = self._user_handle
        return client.post(LOG_IN, {"credential": json.dumps(answer)})

    def _answer(self, **response: bytes) -> dict[str, Any]:
        name = websafe_encode(self._id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": {key: websafe_encode(value) for key, value in response.items()},
            "clientExtensionResults": {"credProps": {"rk": True}},
        }

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": settings.PUBLIC_URL}).encode()

    def _host_digest(self) -> bytes:
        return sha256((urlsplit(settings.PUBLIC_URL).hostname or "").encode()).digest()
