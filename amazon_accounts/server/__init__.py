"""The server of the web process: reads requests with limits and runs the WSGI application in bounded lanes of threads.

granian accepts the sockets, in one event loop for each process. The bridge takes a thread only when a request is
complete, and gives it back before the answer is sent, so that slow clients occupy no thread.
"""
