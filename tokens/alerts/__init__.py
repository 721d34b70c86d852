"""Alerts for people: created once, sent by mail or by Apprise to those whom they concern."""
