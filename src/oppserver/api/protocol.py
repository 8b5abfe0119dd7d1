"""Uvicorn around the application, whoever runs it: its settings, the connection of a request."""

import asyncio
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oppserver.api.observe import Application

_CONNECTION: Final = "oppserver.connection"


def uvicorn_config(
    application: Application,
    *,
    shutdown_timeout_s: int,
    certificate: Path | None = None,
    key: Path | None = None,
) -> uvicorn.Config:
    """Uvicorn's settings for the application. ``certificate`` and ``key`` None: no TLS."""
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=_Protocol,
        ws="none",
        lifespan="on",
        access_log=False,  # it would log the query, and with it keys; ours is in api/observe.py
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=shutdown_timeout_s,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def connection_of(scope: Any) -> asyncio.Transport:
    """The connection on which the request of a scope came, to be cut."""
    transport: asyncio.Transport = scope["extensions"][_CONNECTION]["transport"]
    return transport


class _Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, which hands a request its connection.

    A stream has to be able to cut it: an answer that only ends could be taken for a whole one.
    """

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.access_log = False  # a test that captures logs has a handler for it, and it shows keys
        self.scope["extensions"] = {_CONNECTION: {"transport": self.transport}}
