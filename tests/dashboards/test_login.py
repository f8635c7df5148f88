"""The door: open by default, a sign-in button where a provider is named, patterns of addresses."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app import login
from dashboards.app.login import may_enter
from ingest.store.database import Store
from tests.dashboards.conftest import MAIN, install

AUTH = {
    "redirect_uri": "https://books.example.org/oauth2callback", "cookie_secret": "s" * 32,
    "client_id": "books", "client_secret": "hush",
    "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}  # fmt: skip


@pytest.mark.parametrize(
    ("email", "allow", "in_"),
    [
        ("ada@example.org", [], True),
        (None, [], True),
        ("Ada@Example.org", ["*@example.org"], True),
        ("ada@example.org.evil.net", ["*@example.org"], False),
        ("ada@example.org", ["bo@example.org", "ada@*"], True),
        (None, ["*"], False),
    ],
)
def test_who_may_enter(email: Any, allow: list[str], in_: bool) -> None:
    assert may_enter(email, allow) is in_


def test_pages_wait_for_the_sign_in(store: Store) -> None:
    install(store)
    app = AppTest.from_file(str(MAIN), default_timeout=20)
    app.secrets["auth"] = AUTH
    app.run()
    assert not app.exception
    assert [b.label for b in app.button] == ["Sign in"]
    assert not app.metric


def test_pages_open_without_a_provider_and_for_those_let_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(store)
    app = AppTest.from_file(str(MAIN), default_timeout=20).run()
    assert app.metric and not app.exception

    monkeypatch.setattr(login, "wanted", lambda: True)
    monkeypatch.setattr(login.st, "user", {"email": "eve@elsewhere.net", "is_logged_in": True})
    monkeypatch.setattr(login, "may_enter", lambda email, allow: email == "ada@example.org")
    refused = AppTest.from_file(str(MAIN), default_timeout=20).run()
    assert "eve@elsewhere.net is not let in" in refused.error[0].value
    assert not refused.metric
    monkeypatch.setattr(login.st, "user", {"email": "ada@example.org", "is_logged_in": True})
    assert AppTest.from_file(str(MAIN), default_timeout=20).run().metric
