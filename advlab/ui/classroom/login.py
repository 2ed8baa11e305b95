"""Login by OpenID Connect: what Streamlit's secrets must say, who came in by it, the way in and out.

Streamlit sends the browser to the provider and keeps who came back in a signed cookie of its own. Whom
that names is asked of `st.user`; who has logged in here is a student of the class. The teacher is known
by the secret link alone, whatever a provider says.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from advlab.errors import SettingError
from advlab.language import _
from advlab.ui import plain_text
from advlab.ui.language import switch

NEEDED = ("client_id", "client_secret", "server_metadata_url")  # of each provider
SECRET = 32  # letters of the cookie's secret, at least
CALLBACK = "/oauth2callback"  # where Streamlit has the provider send the browser back
USER = "_streamlit_user"  # Streamlit's cookie
DEFAULT = "default"  # the provider that has no section of its own
HOW = "; see “A class” in the README"


def uses_login() -> bool:
    """Whether a login is set up here (`[auth]` in Streamlit's secrets)."""
    from streamlit.runtime.secrets import secrets_singleton

    return secrets_singleton.load_if_toml_exists() and "auth" in secrets_singleton


def address_of_login(port: int, base: str = "") -> str:
    """The address at which students log in; "" where no login is set up.

    SettingError where the secrets set up one by which nobody could come in.
    """
    _check_readable()
    if not uses_login():
        return ""
    auth = _section()
    lacking = [name for name in ("redirect_uri", "cookie_secret") if not auth.get(name)]
    if lacking:
        raise SettingError(f"the login lacks {', '.join(lacking)} under [auth]{HOW}")
    if len(str(auth["cookie_secret"])) < SECRET:
        raise SettingError(
            f"expected a cookie_secret of {SECRET} or more random letters under [auth]: who guesses "
            "it is whoever they like; python -c 'import secrets; print(secrets.token_hex())' "
            "makes one"
        )
    _check_providers(auth)
    _check_authlib()
    end = f"/{base}{CALLBACK}" if base else CALLBACK
    given = urlsplit(str(auth["redirect_uri"]).replace("{port}", str(port)))
    if given.scheme not in ("http", "https") or not given.hostname or given.path != end:
        raise SettingError(
            f"expected a redirect_uri under [auth] that is the address students open with {end} "
            f"at its end, got {auth['redirect_uri']!r}"
        )
    return f"{given.scheme}://{given.netloc}{given.path.removesuffix(CALLBACK)}"


def providers(auth: Mapping[str, Any]) -> list[str]:
    """The names of the providers; `DEFAULT` where the settings stand under [auth] itself."""
    named = [k for k, v in auth.items() if isinstance(v, Mapping) and k != "client_kwargs"]
    return [DEFAULT, *named] if any(auth.get(name) for name in NEEDED) else named


def visitor() -> tuple[str, str] | None:
    """What names the login of the page's visitor for good, and their name; None without one."""
    if not uses_login() or not st.user.is_logged_in:
        return None
    told = st.user.to_dict()
    subject = told.get("sub") or told.get("email")
    if not subject:
        return None  # a provider that does not say who it is names nobody
    key = hashlib.sha256(f"{told.get('iss')}\n{subject}".encode()).hexdigest()
    return key, str(told.get("name") or told.get("email") or _("Student"))


def signed_in(cookies: Mapping[str, str]) -> bool:
    """Whether Streamlit signed the cookie of a login that came with a request."""
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    given = cookies.get(USER, "").encode("latin-1", "replace")
    return bool(given) and decode_signed_value(get_cookie_secret(), USER, given) is not None


def way_in() -> None:
    """A button for each provider."""
    switch()
    st.title("advlab", anchor=False)
    st.markdown(_("A class. Log in: what you train, predict and hand in is kept for you alone."))
    for name in providers(_section()):
        label = _("Log in") if name == DEFAULT else _("Log in: {name}", name=plain_text(name))
        st.button(label, type="primary", key=f"login.{name}", on_click=st.login, args=(name,))


def way_out() -> None:
    """A button that logs out, here and at the provider."""
    st.button(_("Log out"), icon=":material/logout:", key="login.out", on_click=st.logout)


def short_log() -> None:
    """From now on a failed login is one line of Streamlit's log, without a traceback.

    Nor does it call for a restart since the secrets were read before the server's settings were made.
    """

    def shortened(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            record.msg = f"{record.getMessage()} {type(error).__name__}: {error}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return "config option section was detected" not in record.getMessage()

    from streamlit.logger import get_logger

    for name in ("web.server.starlette.starlette_auth_routes", "config"):
        get_logger(f"streamlit.{name}").addFilter(shortened)


def _section() -> dict[str, Any]:
    from streamlit.runtime.secrets import secrets_singleton

    found = secrets_singleton["auth"]
    return found.to_dict() if hasattr(found, "to_dict") else {}


def _check_readable() -> None:
    """SettingError for a file of secrets that cannot be read: it may hold a login."""
    from streamlit import config
    from streamlit.errors import StreamlitSecretNotFoundError
    from streamlit.runtime.secrets import secrets_singleton

    there = [path for path in config.get_option("secrets.files") if Path(path).exists()]
    if there and not secrets_singleton.load_if_toml_exists():
        try:
            secrets_singleton.to_dict()
        except (StreamlitSecretNotFoundError, OSError, ValueError) as error:
            why = " ".join(str(error).split())
            raise SettingError(
                f"cannot read Streamlit's secrets, which may set up a login: {why}"
            ) from None


def _check_providers(auth: Mapping[str, Any]) -> None:
    names = providers(auth)
    if not names:
        raise SettingError(f"the login lacks {', '.join(NEEDED)} under [auth]{HOW}")
    for name in names:
        place = "[auth]" if name == DEFAULT else f"[auth.{name}]"
        section = auth if name == DEFAULT else auth[name]
        lacking = [one for one in NEEDED if not section.get(one)]
        if lacking:
            raise SettingError(f"the login lacks {', '.join(lacking)} under {place}{HOW}")
        if "_" in name:
            raise SettingError(
                f"expected a provider's name without underscores, got {place}; write "
                f"[auth.{name.replace('_', '-')}]"
            )


def _check_authlib() -> None:
    from streamlit.auth_util import is_authlib_installed

    try:
        importlib.import_module("authlib.integrations.starlette_client")
    except ImportError:
        found = False
    else:
        found = is_authlib_installed()
    if not found:
        raise SettingError(
            "a login is set up under [auth] in Streamlit's secrets, but Authlib is missing, which "
            "carries it out: pip install 'advlab[login]'"
        )
