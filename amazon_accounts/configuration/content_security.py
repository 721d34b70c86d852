"""What a browser lets our pages load, run and send."""

from typing import Final

# No inline script and no eval: dashboard/static/dashboard/expressions.js evaluates the attributes of Alpine, which
# Unfold uses. No form leads to another host, because Chromium applies `form-action` to every redirect that follows,
# and Amazon's pages may change their hosts.
CONTENT_SECURITY_POLICY: Final = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "style-src-elem": ["'self'"],
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}
