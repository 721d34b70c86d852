"""Receive webhooks on port 8090, and keep each event once. Needs standardwebhooks and the variable WEBHOOK_SECRET."""

import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

events = sqlite3.connect(os.environ.get("EVENTS", "events.sqlite"), isolation_level=None)
events.execute("CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, body TEXT)")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body, status = self.rfile.read(int(self.headers["Content-Length"])).decode(), 204
        try:
            Webhook(os.environ["WEBHOOK_SECRET"]).verify(body, dict(self.headers))
            events.execute("INSERT OR IGNORE INTO event VALUES (?, ?)", (self.headers["webhook-id"], body))
        except WebhookVerificationError:
            status = 401
        self.send_response(status)
        self.end_headers()


HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8090"))), Receiver).serve_forever()
