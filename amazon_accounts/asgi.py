"""The web process as granian runs it: the WSGI application behind limits, the watcher, and the writer of measures."""

from amazon_accounts.postgresql.measures import MeasureWriter
from amazon_accounts.server.bridge import Bridge
from amazon_accounts.wsgi import application as wsgi_application
from tokens.processes.watch.watcher import Watcher

_watcher = Watcher()
_writer = MeasureWriter()


def _begin() -> None:
    _watcher.start()
    _writer.start()


application = Bridge(wsgi_application, begin=_begin, end=_writer.stop)
