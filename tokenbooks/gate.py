"""The gate before the service: who may pass, by token, cookie and Host header.

It is plain ASGI, so that it stands before WebSockets as well as before pages. Without a token
(loopback only) it lets pass what addresses this machine by a loopback name: a page elsewhere that
points its own name at 127.0.0.1 is turned away. With a token, programs send

    Authorization: Bearer TOKEN

and people get a sign-in page that leaves a cookie: a keyed hash of the token, never the token.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "tokenbooks_session"
SIGN_IN = "/sign-in"
OPEN = (SIGN_IN, "/healthz")
"""Paths that need no token."""

KEPT_S = 30 * 24 * 3600
_MAX_FORM = 4096


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def cookie_value(token: str) -> str:
    """What the cookie of somebody who knows the token holds."""
    return hmac.new(token.encode(), b"tokenbooks session", hashlib.sha256).hexdigest()


class Gate:
    """ASGI middleware: passes on what may pass, answers the rest itself."""

    def __init__(self, app: ASGIApp, token: str = "", host: str = "127.0.0.1") -> None:
        self.app = app
        self.token = token
        self.local = is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or turn it away (403 a foreign name, 401 no token)."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if self.local and not _names_this_machine(headers.get("host", "")):
            await _refuse(scope, receive, send, 403, "this service answers to localhost only")
        elif not self.token or scope["path"] in OPEN or self._known(headers):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and "text/html" in headers.get("accept", ""):
            await _send_to_sign_in(scope, receive, send)
        else:
            await _refuse(scope, receive, send, 401, "send the token as Authorization: Bearer …")

    def _known(self, headers: dict[str, str]) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), self.token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, cookie_value(self.token))


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    from starlette.responses import JSONResponse

    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    await JSONResponse({"error": why}, status, headers=extra)(scope, receive, send)


async def _send_to_sign_in(scope: Scope, receive: Receive, send: Send) -> None:
    from starlette.responses import RedirectResponse

    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    answer = RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", 303)
    await answer(scope, receive, send)


def local_path(wanted: str) -> str:
    """A place on this service to go on to; anything that leads elsewhere becomes the start."""
    parts = urlsplit(wanted)
    safe = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if safe and not parts.scheme and not parts.netloc else "/"


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>tokenbooks: sign in</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{{font:16px system-ui,sans-serif;max-width:22rem;margin:18vh auto;padding:0 1rem}}
label,input,button{{display:block;width:100%;box-sizing:border-box;font:inherit}}
input,button{{padding:.5rem;margin:.4rem 0 1rem}}.wrong{{color:#c0392b}}</style>
<h1>tokenbooks</h1>{message}<form method="post"><input type="hidden" name="next" value="{next}">
<label for="token">Token</label><input id="token" name="token" type="password" required autofocus
autocomplete="current-password"><button>Sign in</button></form></html>"""


def sign_in_routes(token: str) -> Sequence[BaseRoute]:
    """The sign-in page; none where there is no token to ask for."""
    if not token:
        return ()
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, RedirectResponse, Response
    from starlette.routing import Route

    def page(wanted: str, message: str = "", status: int = 200) -> Response:
        return HTMLResponse(_PAGE.format(message=message, next=html.escape(wanted)), status)

    async def sign_in(request: Request) -> Response:
        if request.method != "POST":
            return page(local_path(request.query_params.get("next", "/")))
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_FORM:
                return page("/", '<p class="wrong">That is too long.</p>', 413)
        form = parse_qs(body.decode("utf-8", "replace"))
        wanted = local_path(form.get("next", ["/"])[0])
        if not _same(form.get("token", [""])[0].strip(), token):
            return page(wanted, '<p class="wrong" role="alert">That is not the token.</p>', 401)
        answer = RedirectResponse(wanted, 303)
        answer.set_cookie(
            COOKIE, cookie_value(token), max_age=KEPT_S, httponly=True, samesite="lax",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    return (Route(SIGN_IN, sign_in, methods=["GET", "POST"]),)
