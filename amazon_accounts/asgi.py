"""The web process as granian runs it: the WSGI application behind limits."""

from amazon_accounts.server.bridge import Bridge
from amazon_accounts.wsgi import application as wsgi_application

application = Bridge(wsgi_application)
