"""The web process as granian runs it: the WSGI application behind limits, and the watcher."""

from amazon_accounts.server.bridge import Bridge
from amazon_accounts.wsgi import application as wsgi_application
from tokens.processes.watch.watcher import Watcher

application = Bridge(wsgi_application, begin=Watcher().start)
