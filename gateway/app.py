"""The gateway's application: the contract's routes, its document, and the web client's pages.

Rule: settings come as arguments; the environment is read elsewhere. The channel lives as long as
the application. What is not there, and a method that is not meant, are problems like any other.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from gateway import rpcs
from gateway.core import Core
from gateway.handlers import Handler, handler_of
from gateway.limits import RateLimit
from gateway.observing import ROUTE, Observed, Signals
from gateway.openapi import document
from gateway.origin import own_origin
from gateway.problems import Problem
from gateway.security import SecurityHeaders
from gateway.tls import Tls

_PAGES = Path(__file__).parent / "pages"
_VERSION = "/v1"
_SCOPE = "openid offline_access"


class State(TypedDict):
    """What connections and handlers share: `ending` is set when the server begins to stop."""

    ending: asyncio.Event


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway needs to know: where the core is, how long things may take, how often one
    address may call, and who signs people in.
    """

    core: str
    tls: Tls | None = None  # to the core; None: plain text
    issuer: str = ""  # the OIDC issuer; a path: one that this gateway serves; empty: none
    client_id: str = "gongji-web"
    seconds: float = 20.0
    upload_seconds: float = 30.0
    body_seconds: float = 20.0
    calls_per_second: float = 50.0
    burst: int = 200
    at_once: int = 200


def make_app(
    settings: Settings, also: Iterable[BaseRoute] = (), signals: Signals | None = None
) -> Starlette:
    """The application; `also` are routes of others, such as an identity provider's, and `signals`
    hears of every request.
    """
    core = Core(settings.core, settings.seconds, settings.upload_seconds, settings.tls)
    if signals is not None:
        signals.watch(core.known_until)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        watching = asyncio.create_task(core.watch_files())
        yield {"ending": asyncio.Event()}
        watching.cancel()
        await core.close()

    issuer = urlsplit(settings.issuer)
    origin = f"{issuer.scheme}://{issuer.netloc}" if issuer.netloc else ""
    app = Starlette(
        routes=[
            Route("/healthz", _health(core)),
            Route("/openapi.json", _openapi),
            Route("/session-config", _session_config(settings)),
            Mount(_VERSION, Router(list(_contract(core, settings)), redirect_slashes=False)),
            *also,
            Mount("/", _Pages(directory=_PAGES, html=True)),
        ],
        middleware=[
            Middleware(SecurityHeaders, connect=origin),
            Middleware(Observed, signals=signals),
            Middleware(
                RateLimit,
                per_second=settings.calls_per_second,
                burst=settings.burst,
                at_once=settings.at_once,
            ),
        ],
        lifespan=lifespan,
        exception_handlers={404: _not_found, 405: _wrong_method},
    )
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True, slots=True)
class _Verbs:
    """All that one address can do."""

    template: str
    handlers: Mapping[str, Handler]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = self.template
        handler = self.handlers.get(scope["method"])
        if handler is None:
            raise HTTPException(405, headers={"allow": ", ".join(self.handlers)})
        response = await handler(Request(scope, receive, send))
        await response(scope, receive, send)


def _contract(core: Core, settings: Settings) -> Iterable[Route]:
    addresses: dict[str, dict[str, Handler]] = {}
    for route in rpcs.ROUTES:
        handler = handler_of(route, core, settings.body_seconds)
        addresses.setdefault(route.template, {})[route.verb] = handler
    # Longer fixed ends first: `/x/{id}:end` before `/x/{id}`.
    for template in sorted(addresses, key=lambda one: (one.count("{"), -len(one))):
        yield Route(template.removeprefix(_VERSION), _Verbs(template, addresses[template]))


def _health(core: Core) -> Handler:
    async def health(_: Request) -> Response:
        if await core.serves():
            return PlainTextResponse("ok")
        return PlainTextResponse("away", 503, {"retry-after": "1"})

    return health


def _session_config(settings: Settings) -> Handler:
    """Where the web client has people signed in; a public client, so nothing of it is secret."""

    async def session_config(request: Request) -> Response:
        issuer = settings.issuer
        if issuer.startswith("/"):
            issuer = f"{own_origin(request)}{issuer}"
        config = {"issuer": issuer, "client_id": settings.client_id, "scope": _SCOPE}
        return JSONResponse(config, headers={"cache-control": "no-store"})

    return session_config


async def _openapi(_: Request) -> Response:
    return JSONResponse(document())


class _Pages(StaticFiles):
    """The pages; a name that no file can have is not there."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        try:
            return super().lookup_path(path)
        except ValueError:
            return "", None


async def _not_found(_: Request, __: Exception) -> Response:
    problem = Problem(404, "NOT_FOUND", "没有这个地址。请核对网址。", "There is nothing here.")
    return problem.response()


async def _wrong_method(_: Request, error: Exception) -> Response:
    headers = (isinstance(error, HTTPException) and error.headers) or {"allow": "GET, HEAD"}
    problem = Problem(
        405,
        "METHOD_NOT_ALLOWED",
        "此地址不支持这种请求方法。请核对接口说明。",
        f"Here: {headers.get('allow', '')}.",
        headers=headers,
    )
    return problem.response()
