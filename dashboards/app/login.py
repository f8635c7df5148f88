"""Who may see the pages: nobody asks, unless the deployment names an identity provider.

Streamlit signs people in by OpenID Connect when `.streamlit/secrets.toml` has an `[auth]` section;
it keeps the cookie and talks to the provider. Here is only the door:

    if not admitted(["*@example.org"]):     # draws the button, or says who is not let in
        st.stop()

Without that section the pages are as open as the address they listen on (loopback, or a token).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import streamlit as st


def wanted() -> bool:
    """Whether this deployment names an identity provider."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def may_enter(email: object, allow: Sequence[str]) -> bool:
    """Whether somebody signed in as `email` is let in: patterns such as `*@example.org`, without
    regard to case; no pattern at all lets everybody in whom the provider signs in."""
    if not allow:
        return True
    return isinstance(email, str) and any(
        fnmatchcase(email.lower(), pattern.lower()) for pattern in allow
    )


def admitted(allow: Sequence[str] = ()) -> bool:
    """Whether to show the pages; if not, what the reader can do is on the page."""
    if not wanted():
        return True
    if not st.user.get("is_logged_in", False):
        st.title("tokenbooks")
        st.markdown("Sign in to see what was spent.")
        if st.button("Sign in", type="primary", icon=":material/login:"):
            st.login()
        return False
    email = st.user.get("email")
    if not may_enter(email, allow):
        st.title("tokenbooks")
        st.error(f"{email or 'This account'} is not let in here.", icon=":material/lock:")
        if st.button("Sign out", icon=":material/logout:"):
            st.logout()
        return False
    with st.sidebar:
        if st.button("Sign out", type="tertiary", icon=":material/logout:", help=str(email)):
            st.logout()
    return True
