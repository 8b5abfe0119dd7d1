"""The limit: constant bytes by the same server stack. ``python -m bench.peers.memory_server``.

Starlette on uvicorn, uvloop and httptools, as the product runs them; the request's body is read
whole, nothing is checked, the answer is in memory.
"""

import argparse
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.wire import PATH


def create_app(answer: bytes) -> Starlette:
    """The application."""

    async def constant(request: Request) -> Response:
        await request.body()
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route(PATH, constant, methods=["POST"])])


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
