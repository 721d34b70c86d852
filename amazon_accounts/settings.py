"""All settings and their defaults. docs/configuration.md explains the environment variables.

Without `DATABASE_URL` the project runs in local mode: it starts its own PostgreSQL, generates its secrets, and
uses the sandbox unless `AMAZON_CLIENT_ID` is set. With `DATABASE_URL` it runs in production mode, where every
secret must be given.
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.addresses import (
    env_hosts,
    env_origin,
    env_origins,
    env_secret_url,
    env_url,
)
from amazon_accounts.configuration.api_description import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from amazon_accounts.configuration.content_security import (
    CONTENT_SECURITY_POLICY as CONTENT_SECURITY_POLICY,
)
from amazon_accounts.configuration.database import env_pool, read_database_url
from amazon_accounts.configuration.environment import (
    env,
    env_bool,
    env_choice,
    env_date,
    env_float,
    env_int,
    env_mail_server,
    env_port,
    env_secret,
    env_secret_list,
    env_sender,
    env_waits,
    require_in_production,
)
from amazon_accounts.configuration.languages import CLIENT_LANGUAGES
from amazon_accounts.configuration.outgoing import (
    env_certificates,
    env_direct_hosts,
    env_proxy,
    is_this_machine,
    require_direct_mail,
)
from amazon_accounts.configuration.refusals import refuse_unsafe_production
from amazon_accounts.configuration.single_sign_on import (
    env_issuer,
    env_team_roles,
    require_all_of_the_provider,
)
from amazon_accounts.logs.handlers import configure_logging
from amazon_accounts.postgresql.deadlines import Connection
from amazon_accounts.starter.secrets import local_secrets
from amazon_accounts.web.requests import PROBE_PATTERNS
from dashboard.frame.theme import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent

_database_url = env_secret("DATABASE_URL")
LOCAL_MODE = not _database_url
DATA_DIR = BASE_DIR / env("DATA_DIR", "var")
DEBUG = env_bool("DEBUG", default=False)

HOST = env("HOST", "127.0.0.1")
PORT = env_port("PORT", 8000)
SECRET_KEY = env_secret("SECRET_KEY")
TOKEN_ENCRYPTION_KEYS = env_secret_list("TOKEN_ENCRYPTION_KEYS")
ALLOWED_HOSTS = env_hosts("ALLOWED_HOSTS")
AMAZON_CLIENT_ID = env("AMAZON_CLIENT_ID")
AMAZON_CLIENT_SECRET = env_secret("AMAZON_CLIENT_SECRET")
USES_SANDBOX = LOCAL_MODE and not AMAZON_CLIENT_ID
if LOCAL_MODE:
    _secrets = local_secrets(DATA_DIR)
    SECRET_KEY = SECRET_KEY or _secrets.secret_key
    TOKEN_ENCRYPTION_KEYS = TOKEN_ENCRYPTION_KEYS or [_secrets.token_encryption_key]
    ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
else:
    require_in_production("SECRET_KEY", SECRET_KEY)
    require_in_production("TOKEN_ENCRYPTION_KEYS", TOKEN_ENCRYPTION_KEYS)
    require_in_production("ALLOWED_HOSTS", ALLOWED_HOSTS)
    require_in_production("PUBLIC_URL", env("PUBLIC_URL"))
    require_in_production("AMAZON_CLIENT_ID", AMAZON_CLIENT_ID)
    require_in_production("AMAZON_CLIENT_SECRET", AMAZON_CLIENT_SECRET)
PUBLIC_URL = env_origin("PUBLIC_URL", f"http://localhost:{PORT}")
_public = urlsplit(PUBLIC_URL)
_is_https = _public.scheme == "https"
# Amazon sends people to this host, and the probes are answered under its name.
ALLOWED_HOSTS.append(f"[{_public.hostname}]" if ":" in str(_public.hostname) else str(_public.hostname))
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL, *env_origins("CSRF_TRUSTED_ORIGINS")]
# The number of our own proxies. Only what they added to X-Forwarded-For and X-Forwarded-Proto is believed.
NUM_PROXIES = env_int("NUM_PROXIES", 0)

for _number, _key in enumerate(TOKEN_ENCRYPTION_KEYS, start=1):
    try:
        Fernet(_key)
    except ValueError:
        raise ImproperlyConfigured(
            f"TOKEN_ENCRYPTION_KEYS: key number {_number} is not a Fernet key (32 bytes as URL-safe base64)."
        ) from None

SANDBOX_PORT = env_port("SANDBOX_PORT", PORT + 1)
_sandbox = f"http://127.0.0.1:{SANDBOX_PORT}/{{region}}" if USES_SANDBOX else ""
AMAZON_ADS_API_URL = env_url("AMAZON_ADS_API_URL", f"{_sandbox}/api" if _sandbox else "")
AMAZON_LWA_URL = env_url("AMAZON_LWA_URL", _sandbox)
# Asked when many logins fail at once. What another host than Amazon's does is not on that page.
AMAZON_STATUS_URL = env_url(
    "AMAZON_STATUS_URL", "" if AMAZON_ADS_API_URL else "https://status.ads.amazon.com/status.json"
)
if USES_SANDBOX:
    AMAZON_CLIENT_ID = "amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8"
    AMAZON_CLIENT_SECRET = AMAZON_CLIENT_SECRET or "sandbox-secret"
if not AMAZON_CLIENT_SECRET:
    raise ImproperlyConfigured(
        "AMAZON_CLIENT_SECRET is missing; AMAZON_CLIENT_ID is given, so it must be too."
    )

OIDC_SERVER_URL = env_issuer("OIDC_SERVER_URL")
OIDC_CLIENT_ID = env("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env_secret("OIDC_CLIENT_SECRET")
# Only superusers sign in with a password.
OIDC_ONLY = env_bool("OIDC_ONLY", default=False)
require_all_of_the_provider(
    {
        "OIDC_SERVER_URL": OIDC_SERVER_URL,
        "OIDC_CLIENT_ID": OIDC_CLIENT_ID,
        "OIDC_CLIENT_SECRET": OIDC_CLIENT_SECRET,
    },
    only=OIDC_ONLY,
)
# Which groups of the provider give which role in which team.
OIDC_GROUPS_CLAIM = env("OIDC_GROUPS_CLAIM", "groups")
OIDC_TEAM_ROLES = env_team_roles("OIDC_TEAM_ROLES", OIDC_SERVER_URL)

_mail_server = env_mail_server("EMAIL_URL", "smtp://localhost")
_mail_is_safe = (
    _mail_server.scheme == "smtps"
    or _mail_server.query == "tls=1"
    or is_this_machine(_mail_server.hostname or "")
)

if not LOCAL_MODE and not env_bool("INSECURE", default=False):
    refuse_unsafe_production(
        secret_key=SECRET_KEY,
        debug=DEBUG,
        allowed_hosts=ALLOWED_HOSTS,
        addresses={
            "PUBLIC_URL": PUBLIC_URL,
            "AMAZON_ADS_API_URL": AMAZON_ADS_API_URL,
            "AMAZON_LWA_URL": AMAZON_LWA_URL,
            "OIDC_SERVER_URL": OIDC_SERVER_URL,
        },
        mails_password_in_clear=bool(_mail_server.password) and not _mail_is_safe,
    )
AMAZON_SCOPES = env("AMAZON_SCOPES", "profile advertising::campaign_management")

AMAZON_MAX_ATTEMPTS = env_int("AMAZON_MAX_ATTEMPTS", 5, minimum=1)
AMAZON_BACKOFF_BASE_SECONDS = env_float("AMAZON_BACKOFF_BASE_SECONDS", 1)
AMAZON_BACKOFF_MAX_SECONDS = env_float("AMAZON_BACKOFF_MAX_SECONDS", 60)
AMAZON_REQUESTS_PER_SECOND = env_float("AMAZON_REQUESTS_PER_SECOND", 2, minimum=0.01)
AMAZON_BURST = env_int("AMAZON_BURST", 10, minimum=1)
AMAZON_MAX_REQUESTS_PER_SECOND = env_float("AMAZON_MAX_REQUESTS_PER_SECOND", 50, minimum=0.01)
LWA_REQUESTS_PER_SECOND = env_float("LWA_REQUESTS_PER_SECOND", 20, minimum=0.01)
LWA_TIMEOUT_SECONDS = env_float("LWA_TIMEOUT_SECONDS", 10, minimum=0.1)

TOKEN_REFRESH_CHECK_SECONDS = env_int("TOKEN_REFRESH_CHECK_SECONDS", 300, minimum=1)
TOKEN_REFRESH_LEAD_SECONDS = env_int("TOKEN_REFRESH_LEAD_SECONDS", 600, minimum=1)
# A leading scheduler that was silent for this time is replaced.
LEADER_SILENCE = timedelta(seconds=env_float("LEADER_SILENCE_SECONDS", 30, minimum=1))
# A refresh token that Amazon refuses is tried once more after this pause.
TOKEN_REFUSAL_CONFIRMATION_SECONDS = 4.0
# How often the outcome of a refresh in another process is looked up.
TOKEN_REFRESH_POLL_SECONDS = 0.2
# How long the return from Amazon's consent page waits for Amazon.
OAUTH_CALLBACK_SECONDS = 10.0
# How long a request for an access token waits for a refresh.
ACCESS_TOKEN_WAIT_SECONDS = 5.0
AUDIT_RETENTION_DAYS = env_int("AUDIT_RETENTION_DAYS", 730, minimum=1)
CONSENT_DAYS = env_int("CONSENT_DAYS", 365, minimum=1)
CONSENT_EFFECTIVE_DATE = env_date("CONSENT_EFFECTIVE_DATE", "2026-07-30")
SYNC_INTERVAL_SECONDS = env_int("SYNC_INTERVAL_SECONDS", 3600, minimum=1)
BILLING_INTERVAL_SECONDS = env_int("BILLING_INTERVAL_SECONDS", 21_600, minimum=1)
ALERT_URLS = env_secret_list("ALERT_URLS")
# Where ALERT_URLS is the only way that was set up, mail would only fail.
MAIL_ALERTS = bool(env_secret("EMAIL_URL")) or not ALERT_URLS
# A failure that lasts so long is told.
ALERT_AFTER_SECONDS = env_int("ALERT_AFTER_SECONDS", 1800, minimum=1)
HEARTBEAT_URL = env_secret_url("HEARTBEAT_URL")
METRICS_TOKEN = env_secret("METRICS_TOKEN")
# Where errors and spans go. What they need is in requirements-telemetry.txt.
SENTRY_DSN = env_secret_url("SENTRY_DSN")
OTEL_EXPORTER_OTLP_ENDPOINT = env_url("OTEL_EXPORTER_OTLP_ENDPOINT")

# For what goes out. Other variables for proxies and certificates, also these names in small letters, change nothing.
HTTPS_PROXY = env_proxy("HTTPS_PROXY")
NO_PROXY = env_direct_hosts("NO_PROXY") if HTTPS_PROXY else ()
CA_BUNDLE = env_certificates("CA_BUNDLE")
# Of a team's webhooks: hosts that may be private or without https, and the waits before each further try.
WEBHOOK_ALLOWED_HOSTS = env_direct_hosts("WEBHOOK_ALLOWED_HOSTS")
WEBHOOK_RETRY_SECONDS = env_waits("WEBHOOK_RETRY_SECONDS", "5,300,1800,7200,18000,36000,50400,72000,86400")

EMAIL_BACKEND = "amazon_accounts.outgoing.mail.EmailBackend"
EMAIL_HOST = _mail_server.hostname or ""
EMAIL_HOST_USER = unquote(_mail_server.username or "")
EMAIL_HOST_PASSWORD = unquote(_mail_server.password or "")
EMAIL_USE_SSL = _mail_server.scheme == "smtps"
EMAIL_USE_TLS = _mail_server.query == "tls=1"
EMAIL_PORT = _mail_server.port or (465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
if HTTPS_PROXY and HTTPS_PROXY.scheme == "https" and (EMAIL_USE_SSL or EMAIL_USE_TLS):
    require_direct_mail(EMAIL_HOST, EMAIL_PORT, NO_PROXY)
# What nobody asked for is mailed only if there is a mail server.
EMAIL_IS_SET_UP = bool(env_secret("EMAIL_URL"))
# Without a timeout, a mail server that does not answer would occupy a worker's slot for ever.
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env_sender("DEFAULT_FROM_EMAIL", f"Amazon Accounts <amazon-accounts@{_public.hostname}>")

INSTALLED_APPS = [
    # Before unfold, so that our templates and styles win.
    "dashboard",
    # Not plain "unfold", which would replace our admin site.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "dashboard.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_apscheduler",
    "procrastinate.contrib.django",
    "amazon_accounts.amazon_ads",
    "tokens",
    "accounts",
]

MIDDLEWARE = [
    "amazon_accounts.web.requests.PublicAddressMiddleware",
    "dashboard.middleware.OriginMiddleware",
    "amazon_accounts.web.headers.PrivacyHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.middleware.SessionEndMiddleware",
    "dashboard.sign_in.middleware.SecondFactorMiddleware",
    "dashboard.sign_in.middleware.HashingMiddleware",
    "dashboard.middleware.ZoneMiddleware",
    "dashboard.middleware.BodySizeMiddleware",
    "dashboard.middleware.BadInputMiddleware",
    "dashboard.outage.DatabaseOutageMiddleware",
    "accounts.api.rate_limits.RateLimitMiddleware",
    "accounts.api.conditional.ConditionalMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.sign_in.context.add_frame",
            ],
        },
    },
]

ROOT_URLCONF = "amazon_accounts.urls"
WSGI_APPLICATION = "amazon_accounts.wsgi.application"

if LOCAL_MODE:
    from amazon_accounts.starter.embedded_postgres import django_database

    _database = django_database(DATA_DIR)
else:
    _database = read_database_url(_database_url)
# A statement without an answer for this time ends its connection.
DB_SILENCE_SECONDS = env_float("DB_SILENCE_SECONDS", 30)
# PgBouncer in transaction mode keeps nothing for a session, and refuses startup options that it does not know.
DB_PGBOUNCER = env_bool("DB_PGBOUNCER", default=False)
DATABASES = {
    "default": {
        **_database,
        # Django's backend, with a pool that drops dead connections after a restart of the database.
        "ENGINE": "amazon_accounts.postgresql",
        "CONN_MAX_AGE": 0,
        "DISABLE_SERVER_SIDE_CURSORS": DB_PGBOUNCER,
        "OPTIONS": {**_database.get("OPTIONS", {}), "pool": {**env_pool(), "connection_class": Connection}},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["tokens.people.backend.RoleBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

CACHES = {
    # All processes share the rate limits of allauth and the one-time codes that were used.
    "default": {"BACKEND": "amazon_accounts.postgresql.cache.PostgresCache", "LOCATION": "cache_entries"},
    # Figures of pages are cached in each process, because a query costs as much as most of the figures.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
ACCOUNT_ADAPTER = "tokens.sign_in.adapters.AccountAdapter"
# A link in a mail works for three days.
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600
ACCOUNT_FORMS = {
    "change_password": "tokens.sign_in.forms.ChangePasswordForm",
    "reset_password": "tokens.sign_in.forms.ResetPasswordForm",
    "user_token": "tokens.sign_in.forms.UserTokenForm",
}
ACCOUNT_LOGIN_METHODS = {"username"}
# Nobody can sign up, and addresses are not verified: administrators make the people.
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
# The session has its own limits, so the login does not ask how long to remember it.
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PRESERVE_USERNAME_CASING = True
# Every other limit of allauth stays. tokens/sign_in/throttle.py limits passwords and second factors.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
# The adapter gives allauth the provider of OIDC_SERVER_URL. An address of mail never finds an existing person.
SOCIALACCOUNT_ADAPTER = "tokens.sign_in.oidc.adapter.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
# Seconds for all answers of the provider that one request of a browser needs.
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "tokens.sign_in.second_factors.MFAAdapter"
MFA_FORMS = {
    "add_webauthn": "tokens.sign_in.factor_forms.AddWebAuthnForm",
    "authenticate": "tokens.sign_in.factor_forms.AuthenticateForm",
    "authenticate_webauthn": "tokens.sign_in.factor_forms.AuthenticateWebAuthnForm",
    "edit_webauthn": "tokens.sign_in.factor_forms.EditWebAuthnForm",
    "login_webauthn": "tokens.sign_in.factor_forms.LoginWebAuthnForm",
    "reauthenticate": "tokens.sign_in.factor_forms.ReauthenticateForm",
    "reauthenticate_webauthn": "tokens.sign_in.factor_forms.ReauthenticateWebAuthnForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# A phone whose clock is up to half a minute off can sign in.
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "Amazon Accounts"
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Browsers allow passkeys without https on this machine only.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _is_https
REQUIRE_MFA = env_choice("REQUIRE_MFA", "nobody", ["nobody", "administrators", "everybody"])
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"

LANGUAGE_CODE = "en-us"
LANGUAGES = CLIENT_LANGUAGES
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
# Short dates for the admin.
FORMAT_MODULE_PATH = "dashboard.formats"

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static" if LOCAL_MODE else BASE_DIR / "staticfiles"
# Every page names a file by its hash, so the copies without one are half of what an image would carry.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "amazon_accounts.web.static_files.StaticFilesStorage"},
}

SESSION_ENGINE = "tokens.people.sessions"
SESSION_IDLE_SECONDS = env_int("SESSION_IDLE_SECONDS", 43200, minimum=600)
SESSION_MAX_SECONDS = env_int("SESSION_MAX_SECONDS", 2592000, minimum=60)
SESSION_COOKIE_AGE = SESSION_MAX_SECONDS

# Browsers accept a cookie with this prefix only from this host, over https.
COOKIE_PREFIX = "__Host-" if _is_https else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_SECURE = _is_https
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = _is_https
# Scripts take the token from the form of the page.
CSRF_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "amazon_accounts.web.cookies.MessageStorage"
SECURE_SSL_REDIRECT = _is_https
SECURE_SSL_HOST = _public.netloc
SECURE_REDIRECT_EXEMPT = PROBE_PATTERNS
# PublicAddressMiddleware leaves the header only if a proxy of ours set it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if _is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _is_https
# Whether a domain enters the preload list of browsers is for the owner of the whole domain to say.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
# Of a form. The fields are the rows that a person marked, and nothing is uploaded.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000
DATA_UPLOAD_MAX_NUMBER_FILES = 1
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DEFAULT_EXCEPTION_REPORTER_FILTER = "amazon_accounts.web.error_pages.SecretFilter"

LOGGING = configure_logging(
    env_choice("LOG_FORMAT", "text" if LOCAL_MODE else "json", ["text", "json"]),
    env_choice("LOG_LEVEL", "info", ["debug", "info", "warning", "error"]).upper(),
)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first class gives the challenge of a 401.
        "accounts.api.authentication.KeyAuthentication",
        "accounts.api.authentication.SessionAuthentication",
    ],
    # Staff, as for the pages. What each operation needs beyond that, it asks itself.
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAdminUser",
        "accounts.api.permissions.HoldsPermission",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsing.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.api.throttling.CallerThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "accounts.api.problems.handle",
    "NUM_PROXIES": NUM_PROXIES,
    # `format` is a parameter of the export.
    "URL_FORMAT_OVERRIDE": None,
}
