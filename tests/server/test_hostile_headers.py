"""No header makes the server fail, whatever bytes stand in it: the requests come as sockets send them.

Django's test client makes its requests in another way, without the server and its handler.
"""

from itertools import cycle

import pytest

from tests.server.conftest import HOST, Server

pytestmark = pytest.mark.xdist_group("web server")

HEADERS = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Date",
    "Expect",
    "Forwarded",
    "HX-Current-URL",
    "HX-History-Restore-Request",
    "HX-Request",
    "HX-Target",
    "Host",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Unmodified-Since",
    "Origin",
    "Prefer",
    "Range",
    "Referer",
    "Sec-Purpose",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "X-CSRFToken",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-HTTP-Method-Override",
    "X-Requested-With",
]
VALUES = [
    b"", b"0", b"-1", b"9" * 40, b"true", b"null", b"*/*", b",,,", b";;;=", b'"', b'W/"', b"a=b; c", b"%00", b"%ff",
    b"\xff\xfe", b"\xc2\x85", b"x" * 3_000, b"http://[", b"http://a:b@[::1]:x/", b"1.2.3.4, ::1, [", b"bytes=5-1,x-",
    b"Wed, 99 Xxx 0000 99:99:99 GMT", b"chunked", b"gzip;q=nan", b"en-\xff;q=1e9", b"Token \xff", b"Basic //",
    b"text/html; charset=rot13", b"text/html; charset=unicode_escape", b"text/html; a*=nonsense''%41",
    b"multipart/form-data", b"multipart/form-data; boundary=\xff", b"application/json; charset=utf-16",
    b'sessionid=%00; csrftoken="\\054"; messages=x:y; zone=../../x; accounts-view=\xed\xa0\x80',
]  # fmt: skip
PATHS = [
    b"/auth/login/",
    b"/accounts/?search=%5Cud800",
    b"/api/v1/accounts/",
    b"/static/dashboard/zone.js",
    b"/",
    b"/nowhere/",
]


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_no_header_is_answered_with_an_error_of_ours(server: Server, method: bytes) -> None:
    paths = cycle(PATHS)
    for name in HEADERS:
        for value in VALUES:
            path = next(paths)
            header = name.encode() + b": " + value + b"\r\n"
            host = b"" if name == "Host" else HOST
            body = b"Content-Length: 3\r\n\r\na=b" if method == b"POST" else b"\r\n"
            answer = server.send(
                method + b" " + path + b" HTTP/1.1\r\n" + host + b"Connection: close\r\n" + header + body
            )
            assert answer[:10] in {b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4"}, (path, header, answer[:200])
    assert "Traceback" not in server.log()
    assert server.ask("GET", "/healthz")[0] == 200
