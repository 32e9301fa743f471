"""Who may use the review page's server: only the browser that was given its address.

The address holds a token. The first request that brings it gets a cookie in exchange, and the token is worth nothing
from then on. Requests for another host name are refused, which is what stops a site that points its own name to this
machine (DNS rebinding). Requests that change something must bring a header that no other site can send.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

_HOSTS = ["127.0.0.1", "localhost"]
_WRITES = "x-lolhl-review"  # a header that a page of another origin cannot send without being allowed to
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KEPT = 30 * 86_400  # seconds: the browser may be closed and opened again, for as long as the server runs
_STRANGER = (
    "This page opens in one browser alone: the one that opened the address which `lolhl review` printed. End "
    "`lolhl review` and start it again for another address.\n"
)


@dataclass
class Session:
    """Who may use the server.

    Attributes:
        port: that it listens on. Cookies know no ports, so the port is in the cookie's name.
        token: of the printed address. None once it was used.
        secret: the value of the cookie.
    """

    port: int
    token: str | None = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """The address to open."""
        return f"http://127.0.0.1:{self.port}/open/{self.token}"

    @property
    def cookie(self) -> str:
        return f"lolhl-{self.port}"

    def exchange(self, token: str) -> bool:
        """Whether this is the token. It is used up then."""
        if self.token is None or not hmac.compare_digest(token.encode(), self.token.encode()):
            return False
        self.token = None
        return True

    def knows(self, cookie: str) -> bool:
        return hmac.compare_digest(cookie.encode(), self.secret.encode())


def gates(session: Session) -> list[Middleware]:
    """What each request passes before the application sees it."""
    return [Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS), Middleware(_Gate, session=session)]


class _Gate:
    """Lets in who brings the cookie, or the token in exchange for it."""

    def __init__(self, app: ASGIApp, session: Session) -> None:
        self.app, self.session = app, session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        response = self._answer(request)

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await (response or self.app)(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> Response | None:
        """What is answered in place of the application."""
        if self.session.knows(request.cookies.get(self.session.cookie, "")):
            writes = request.method not in ("GET", "HEAD")
            if writes and request.headers.get(_WRITES) != "1":
                return PlainTextResponse(f"A change needs the header {_WRITES}.\n", 403)
            return None
        place, _, token = request.url.path.rpartition("/")
        if place == "/open" and self.session.exchange(token):
            response = RedirectResponse("/", 303)
            response.set_cookie(
                self.session.cookie,
                self.session.secret,
                max_age=_KEPT,
                httponly=True,
                samesite="strict",
                path="/",
            )
            return response
        return PlainTextResponse(_STRANGER, 401)
