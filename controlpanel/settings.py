"""Django settings. Everything an administrator may change comes from MUELLE_* variables through ``environment``."""

from __future__ import annotations

from pathlib import Path

from controlpanel import environment
from controlpanel.server.limits import Limits
from engine.layout import Layout

CHECKOUT = Path(__file__).resolve().parent.parent

MUELLE_LAYOUT = Layout.from_environment()
MUELLE_NODE = environment.text("MUELLE_NODE", "local")
MUELLE_BROKER_URL = environment.text("MUELLE_BROKER_URL", f"redis+socket://{MUELLE_LAYOUT.broker_socket}")

DEBUG = environment.flag("MUELLE_DEBUG", False)
SECRET_KEY = environment.secret_key(MUELLE_LAYOUT.database.with_name("secret.key"))
# Engine API clients on the UNIX socket send any Host at all (api.moby.localhost, docker, a path, none). A foreign name
# gains a browser nothing: cookies belong to one host, and unsafe requests are compared with their Origin.
ALLOWED_HOSTS = environment.words("MUELLE_ALLOWED_HOSTS", ["*"])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "rest_framework",
    "controlpanel.objects",
    "controlpanel.access",
    "controlpanel.panel",
    "controlpanel.monitor",
]

# Each one is a coroutine more for every request.
MIDDLEWARE = [
    "controlpanel.server.browser.BrowserMiddleware",
    "controlpanel.rest.versions.VersionMiddleware",
]

ROOT_URLCONF = "controlpanel.urls"
ASGI_APPLICATION = "controlpanel.asgi.application"
# Docker's paths are exact; a redirect to a slash would lose the method.
APPEND_SLASH = False
# Bodies are bounded where they are read: JSON by the API's parsers, archives never held in memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = None

DATABASES = {"default": environment.database("MUELLE_DATABASE_URL", MUELLE_LAYOUT.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Behind TLS (a proxy in front) cookies are marked Secure; plain HTTP on the loopback address is the default.
MUELLE_TLS = environment.flag("MUELLE_TLS", False)
SESSION_COOKIE_NAME = "muelle_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = MUELLE_TLS
CSRF_COOKIE_NAME = "muelle_csrf"
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SECURE = MUELLE_TLS
CSRF_TRUSTED_ORIGINS = environment.words("MUELLE_TRUSTED_ORIGINS", [])
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if MUELLE_TLS else None
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # SecurityMiddleware: its headers are set by BrowserMiddleware
    "security.W002",  # XFrameOptionsMiddleware: likewise
    "security.W003",  # CsrfViewMiddleware: BrowserMiddleware calls it
]

MUELLE_BROWSER_HEADERS = {
    # xterm.js sets style attributes on its rows, so styles may be inline; nothing else is relaxed.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
MUELLE_LIMITS = Limits(
    connections=environment.number("MUELLE_CONNECTIONS", Limits().connections),
    per_client=environment.number("MUELLE_CONNECTIONS_PER_CLIENT", Limits().per_client),
)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["controlpanel.access.authentication.DockerAuthentication"],
    "EXCEPTION_HANDLER": "controlpanel.rest.errors.exception_handler",
    "DEFAULT_RENDERER_CLASSES": ["controlpanel.rest.renderers.DockerJSONRenderer"],
    # Views read their bodies through ``controlpanel.rest.bodies``, which has Docker's refusals.
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "controlpanel.document.schema.EngineSchema",  # imported when the document is made
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": environment.text("MUELLE_LOG_LEVEL", "INFO").upper()},
    "loggers": {
        # An answer of 404 or 409 is an answer, not an event worth a line.
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "ERROR"},
    },
}
