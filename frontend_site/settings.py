"""Django's settings. What an operator can choose comes from the environment: see FrontendConfig."""

import os

from common.process import failpoints
from common.process.logs import stdlib_config
from frontend_site.environment import FrontendConfig
from trading.api.probes import PROBES
from trading.api.schema.components import COMPONENTS, DESCRIPTION, SECURITY_SCHEMES

_config = FrontendConfig.from_environment(os.environ)
failpoints.arm(os.environ)

DEBUG = _config.debug
SECRET_KEY = _config.secret_key
ALLOWED_HOSTS = _config.allowed_hosts
DATABASES = {"default": _config.database}

STOCK_CACHE_SIZE = _config.cache_size
EVENT_STREAMS = _config.event_streams
EVENT_STREAMS_PER_ACCOUNT = _config.event_streams_per_account
ORDERS_CREATED_STATUS = _config.created_status
AUTHENTICATION = _config.authentication
OPERATOR_KEY = _config.operator_key
RATE_LIMITS = _config.rate_limits
SANDBOX_FAULTS = _config.sandbox_faults

ROOT_URLCONF = "frontend_site.urls"
WSGI_APPLICATION = "frontend_site.wsgi.application"
# Both forms of a path are routed; a redirect would lose the body of a POST.
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "trading",  # first: its templates and its `runserver` go before those of the apps below
    "trading.dashboard",
    "trading.operator",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "django_htmx",  # for its file of htmx alone: its middleware would be on the way of every order
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

# Only somebody who logs in has a session: while nobody can, no order pays for looking.
_LOGIN = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
MIDDLEWARE = [
    "trading.api.request_id.RequestIdMiddleware",  # first: every answer carries the id
    "trading.api.request_metrics.RequestMetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "trading.api.probes.ServedHostMiddleware",  # Django's CommonMiddleware: refuses unknown hosts, sets Content-Length
    *(_LOGIN if AUTHENTICATION else []),
    "trading.api.content_policy.ContentPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
# A secret found in a log or a repository is known for what it is by its beginning.
REST_KNOX = {"TOKEN_PREFIX": "bourse_"}

if _config.production is not None:
    SECURE_PROXY_SSL_HEADER = _config.production.proxy_header
    SECURE_SSL_REDIRECT = True
    # Asked by machines beside this one, past the proxy.
    SECURE_REDIRECT_EXEMPT = [PROBES]
    SECURE_HSTS_SECONDS = _config.production.hsts_seconds
    SECURE_HSTS_INCLUDE_SUBDOMAINS = _config.production.hsts_subdomains
    SECURE_HSTS_PRELOAD = _config.production.hsts_preload
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

STATIC_URL = "/static/"
# Served from the packages themselves: no collecting step, with debug off too.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# An order is some hundred bytes; nothing that a client sends us is large.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
DATA_UPLOAD_MAX_NUMBER_FILES = 1

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["trading.api.renderers.ExactJSONRenderer", "trading.api.browsable.BrowsableRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "trading.api.parsers.StrictJSONParser",
        "trading.api.parsers.SmallFormParser",
        "trading.api.parsers.SmallMultiPartParser",
    ],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "trading.api.exception_handler.handle_exception",
    # `format` would be an unknown parameter like any other: the Accept header chooses.
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Bourse",
    "VERSION": "1",
    "DESCRIPTION": DESCRIPTION,
    "OAS_VERSION": "3.1.0",
    "APPEND_COMPONENTS": {"schemas": COMPONENTS, "securitySchemes": SECURITY_SCHEMES},
    "PREPROCESSING_HOOKS": ["trading.api.schema.hooks.name_paths"],
    "POSTPROCESSING_HOOKS": ["trading.api.schema.hooks.complete"],
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,
}

LOGGING = stdlib_config(
    {
        # Failed requests are logged by trading.api.exception_handler, with their request id.
        "django": "WARNING",
        "django.request": "CRITICAL",
        "django.security": "ERROR",
        "django.security.DisallowedHost": "CRITICAL",  # anybody can cause it, as often as they like
        "django.server": "WARNING",
    }
)
