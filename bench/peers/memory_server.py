"""The limit: constant bytes by the same server stack. ``python -m bench.peers.memory_server``.

Litestar on uvicorn, uvloop and httptools, as the product runs them; the request's body is read
whole, nothing is checked, the answer is in memory.
"""

import argparse
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response
from litestar.handlers import post

from bench.wire import PATH


def create_app(answer: bytes) -> Litestar:
    """The application."""

    @post(PATH, status_code=200)
    async def constant(request: Request[Any, Any, Any]) -> Response[bytes]:
        await request.body()
        return Response(answer, media_type="application/json")

    return Litestar([constant], openapi_config=None, logging_config=None)


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--answer", type=Path, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        create_app(arguments.answer.read_bytes()),
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
