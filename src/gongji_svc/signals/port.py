"""The port on which a process is looked at: /metrics for Prometheus, /healthz and
/livez for probes.

Rule: it is never the port that serves people. It answers by threads of its own, so that who looks
holds up nobody; a client that is slow is dropped. /healthz tells whether the process does its work,
/livez only what a restart would mend.
"""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Self
from urllib.parse import urlsplit

from prometheus_client.exposition import choose_encoder

from gongji_svc.config import Address
from gongji_svc.signals.catalogue import Figure, Told

_SLOW_SECONDS = 10.0
_TURN_SECONDS = 5.0
_TEXT = "text/plain; charset=utf-8"

Ails = Callable[[], str]
"""What is wrong with the process, in a few words; empty while it is well."""

_Page = tuple[HTTPStatus, str, bytes]


def _nothing() -> str:
    return ""


def turning(loop: asyncio.AbstractEventLoop) -> Ails:
    """Whether the loop still comes round."""

    def stands_still() -> str:
        turn = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
        try:
            turn.result(_TURN_SECONDS)
        except TimeoutError:
            return "it stands still"
        return ""

    return stands_still


def _well(wrong: str) -> _Page:
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    return status, _TEXT, f"{wrong or 'ok'}\n".encode()


class Port:
    """Listens on `address` until it is closed; OSError where nobody can."""

    def __init__(
        self,
        address: Address,
        figures: Iterable[Iterable[Figure]],
        ails: Ails = _nothing,
        stands_still: Ails = _nothing,
    ) -> None:
        told = Told(figures)

        def metrics(accepted: str) -> _Page:
            encode, media_type = choose_encoder(accepted)
            return HTTPStatus.OK, media_type, encode(told)

        pages = {
            "/metrics": metrics,
            "/healthz": lambda _: _well(ails()),
            "/livez": lambda _: _well(stands_still()),
        }
        self._server = _Server(address, pages)
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: Address, pages: Mapping[str, Callable[[str], _Page]]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.pages = pages
        super().__init__((address.host, address.port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has gone meanwhile."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOW_SECONDS
    server: _Server

    def do_GET(self) -> None:
        page = self.server.pages.get(urlsplit(self.path).path)
        status, media_type, body = (
            page(self.headers.get("accept", ""))
            if page
            else (HTTPStatus.NOT_FOUND, _TEXT, b"/metrics, /healthz, /livez\n")
        )
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line a scrape says nothing."""
