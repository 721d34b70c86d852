"""Starts what local mode needs: the embedded PostgreSQL, the local secrets, and every process of `make run`.

Only settings, manage.py, wsgi and tests import this package.
"""
