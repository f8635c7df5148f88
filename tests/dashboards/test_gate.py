"""Who may pass: host names, tokens, cookies, and where a sign-in leads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from tokenbooks.gate import COOKIE, Gate, cookie_value, is_loopback, local_path, sign_in_routes
from tokenbooks.service import ServiceError, check_address

TOKEN = "correct-horse-battery-staple"


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def socket(ws: WebSocket) -> None:
    await ws.accept()
    await ws.send_text("hello")
    await ws.close()


def client(token: str, host: str, address: str) -> TestClient:
    app = Starlette(
        routes=[
            Route("/", hello), Route("/healthz", hello), Route("/overview", hello),
            WebSocketRoute("/ws", socket), *sign_in_routes(token),
        ],
        middleware=[Middleware(Gate, token=token, host=host)],
    )  # fmt: skip
    return TestClient(app, base_url=address, follow_redirects=False)


@pytest.fixture
def local() -> Iterator[TestClient]:
    with client("", "127.0.0.1", "http://127.0.0.1:8765") as made:
        yield made


@pytest.fixture
def guarded() -> Iterator[TestClient]:
    with client(TOKEN, "0.0.0.0", "http://books.example:8765") as made:
        yield made


def test_loopback_needs_nothing(local: TestClient) -> None:
    assert local.get("/").text == "hello"
    with local.websocket_connect("/ws", headers={"host": "localhost:8765"}) as ws:
        assert ws.receive_text() == "hello"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8765", "127.8.8.8"])
def test_loopback_names_pass(local: TestClient, host: str) -> None:
    assert local.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[bad"])
def test_a_page_that_points_its_own_name_here_is_turned_away(local: TestClient, host: str) -> None:
    assert local.get("/", headers={"host": host}).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        local.websocket_connect("/ws", headers={"host": host}),
    ):
        pass


def test_without_the_token_programs_are_refused(guarded: TestClient) -> None:
    answer = guarded.get("/overview")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    with pytest.raises(WebSocketDisconnect), guarded.websocket_connect("/ws"):
        pass


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401), (f"Basic {TOKEN}", 401), ("Bearer ", 401), (TOKEN, 401),
    ],
)  # fmt: skip
def test_the_bearer_token_is_compared_whole(guarded: TestClient, header: str, status: int) -> None:
    assert guarded.get("/", headers={"authorization": header}).status_code == status


def test_health_is_open(guarded: TestClient) -> None:
    assert guarded.get("/healthz").status_code == 200


def test_people_sign_in_once_and_come_where_they_wanted(guarded: TestClient) -> None:
    sent = guarded.get("/overview?team=a", headers={"accept": "text/html"})
    assert sent.status_code == 303
    assert sent.headers["location"] == "/sign-in?next=%2Foverview%3Fteam%3Da"
    form = guarded.get(sent.headers["location"])
    assert 'value="/overview?team=a"' in form.text
    wrong = guarded.post("/sign-in", data={"token": "wrong", "next": "/overview"})
    assert (wrong.status_code, COOKIE in wrong.cookies) == (401, False)
    right = guarded.post("/sign-in", data={"token": TOKEN, "next": "/overview?team=a"})
    assert (right.status_code, right.headers["location"]) == (303, "/overview?team=a")
    kept = right.headers["set-cookie"].lower()
    assert "httponly" in kept
    assert "samesite=lax" in kept
    assert TOKEN not in kept
    assert guarded.get("/overview").status_code == 200
    # The test client gives WebSockets another host name, so it does not send the cookie itself.
    cookie = {"cookie": f"{COOKIE}={right.cookies[COOKIE]}"}
    with guarded.websocket_connect("/ws", headers=cookie) as ws:
        assert ws.receive_text() == "hello"


def test_a_cookie_of_another_token_does_not_pass(guarded: TestClient) -> None:
    guarded.cookies.set(COOKIE, cookie_value("another"))
    assert guarded.get("/").status_code == 401


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/overview?team=a", "/overview?team=a"), ("//evil.example", "/"),
        ("https://evil.example", "/"), ("/\\evil.example", "/"), ("", "/"), ("overview", "/"),
    ],
)  # fmt: skip
def test_a_sign_in_never_leads_elsewhere(wanted: str, place: str) -> None:
    assert local_path(wanted) == place


def test_a_place_to_go_on_to_is_text_on_the_page(guarded: TestClient) -> None:
    page = guarded.get("/sign-in", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text


def test_a_huge_form_is_refused(guarded: TestClient) -> None:
    assert guarded.post("/sign-in", data={"token": "x" * 5000}).status_code == 413


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.3.2.1", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("localhost.evil", False),
        ("", False),
    ],
)  # fmt: skip
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2"])
def test_other_addresses_need_a_token(host: str) -> None:
    with pytest.raises(ServiceError, match="TOKENBOOKS_TOKEN"):
        check_address(host, 8765, "")
