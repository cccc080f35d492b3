"""Serve a simulator on a loopback port: uvicorn in a thread of its own, started and stopped at will."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from hub.errors import StopError
from hub.simulation.faults import Cut, Delay, Drop, Hang
from hub.simulation.server.call import Call, Reply
from hub.simulation.server.transport import cut_body

if TYPE_CHECKING:
    from hub.simulation.server.simulator import Answer, Simulator

__all__ = ["Host", "application"]

LONGEST_HANG_SECONDS = 30.0
"""A hanging answer holds its connection for so long at most, in real time; then the connection closes."""

_GRACE_SECONDS = 3
_IDLE_SECONDS = 120
_END_CONNECTION = "hub.simulation.end_connection"


class _Protocol(H11Protocol):
    """Tells the application how to close the connection under it, which ASGI itself has no word for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does this only for sockets that name their protocol; without it each answer waits for a delayed ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        inner = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_END_CONNECTION] = transport.close
            await inner(scope, receive, send)

        self.app = with_connection


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is ready and when it begins to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping.set()
        await super().shutdown(sockets)


class Host:
    """One simulator on one port.

    Args:
        simulator: what is served.
        address: the interface; loopback unless the network is meant.
        port: 0 takes a free one.
    """

    def __init__(self, simulator: Simulator, address: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = _listen(address, port)
        self.address, self.port = self._socket.getsockname()[:2]
        self._failure: BaseException | None = None
        app = application(simulator, lambda: self._server.stopping)
        self._server = _Server(_config(app))
        self._thread = threading.Thread(target=self._run, name=f"simulator-{simulator.name}", daemon=True)

    def start(self) -> None:
        """Serve; returns once calls are accepted."""
        self._thread.start()
        self._server.ready.wait()
        if self._failure is not None:
            self._socket.close()
            raise self._failure

    def stop(self) -> None:
        """Finish the calls under way, close every connection and the port."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:  # noqa: BLE001 - handed to whoever starts or stops the host
            self._failure = error
        finally:
            self._server.ready.set()


def _listen(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port))
    except OSError as error:
        raise StopError(
            f"Port {port} on {address} cannot be used: {error.strerror}.",
            code="simulator_port_taken",
            hint="Choose another port, or 0 for a free one.",
        ) from error


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def application(simulator: Simulator, stopping: Callable[[], asyncio.Event]) -> ASGIApp:
    """Return the ASGI application of a simulator; ``stopping`` gives the event that ends hanging answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            call = await _call(request)
        except ClientDisconnect:
            return
        # A bug inside the simulator is kept in `crashes` and surfaces at the end of its `with` block.
        answer = await run_in_threadpool(simulator.handle_safely, call)
        await _deliver(answer, simulator, _Connection(scope, receive, send, stopping()))

    return app


async def _call(request: Request) -> Call:
    return Call(
        method=request.method,
        path=request.scope["path"],
        query=QueryParams(request.scope["query_string"]),
        headers=Headers(scope=request.scope),
        body=await request.body(),
        client=request.client.host if request.client else "",
    )


class _Connection:
    """The ASGI channels of one call."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, stopping: asyncio.Event) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._stopping = stopping

    async def answer(self, reply: Reply, *, announced: int | None = None) -> None:
        """Send status, headers and body; ``announced`` overrides the length in the headers."""
        length = len(reply.body) if announced is None else announced
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
        headers.append((b"content-length", str(length).encode()))
        start: Message = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": reply.body, "more_body": announced is not None})

    async def end(self) -> None:
        """Close the connection and wait until it is closed, so that nothing more is sent on it."""
        self._scope[_END_CONNECTION]()
        await self._left()

    async def hang(self) -> None:
        """Hold the connection until the caller leaves, the simulator stops or the longest hang is over."""
        waits = {asyncio.ensure_future(self._left()), asyncio.ensure_future(self._stopping.wait())}
        _done, pending = await asyncio.wait(waits, timeout=LONGEST_HANG_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        await self.end()

    async def _left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue


async def _deliver(answer: Answer, simulator: Simulator, connection: _Connection) -> None:
    effect, reply = answer.effect, answer.reply
    if isinstance(effect, Drop) or reply is None:
        await connection.end()
    elif isinstance(effect, Hang):
        await connection.hang()
    elif isinstance(effect, Cut):
        await _deliver_part(reply, effect, connection)
    else:
        if isinstance(effect, Delay):
            await run_in_threadpool(simulator.clock.sleep, effect.seconds)
        await connection.answer(reply)


async def _deliver_part(reply: Reply, cut: Cut, connection: _Connection) -> None:
    part = Reply(reply.status, cut_body(reply.body, cut), reply.headers)
    if cut.clean or not reply.body:
        await connection.answer(part)
        return
    await connection.answer(part, announced=len(reply.body))
    await connection.end()
