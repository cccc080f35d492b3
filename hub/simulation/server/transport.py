"""Talk to a simulator in-process, without a socket: an httpx transport for ``hub.http.ApiClient`` and any httpx client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from hub.simulation.faults import Cut, Delay, Drop, Hang
from hub.simulation.server.call import Call, Reply
from hub.simulation.server.clock import VirtualClock

if TYPE_CHECKING:
    from hub.simulation.server.simulator import Simulator

__all__ = ["SimulatorTransport", "cut_body"]


class SimulatorTransport(httpx.BaseTransport):
    """Hands every request to a simulator, whatever its host. A fault looks as it would over a socket.

    A call that outlasts the client's read time-out raises ``httpx.ReadTimeout``; on a virtual clock that much time has
    passed then. An error inside the simulator itself is raised as it is: it is a bug of the simulator.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        answer = self._simulator.handle(Call.from_httpx(request))
        if isinstance(answer.effect, Drop) or answer.reply is None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        if isinstance(answer.effect, Hang | Delay):
            self._wait(answer.effect, request)
        return _response(answer.reply, answer.effect if isinstance(answer.effect, Cut) else None)

    def _wait(self, effect: Hang | Delay, request: httpx.Request) -> None:
        patience = request.extensions.get("timeout", {}).get("read")
        if isinstance(effect, Delay) and (patience is None or effect.seconds <= patience):
            self._simulator.clock.sleep(effect.seconds)
            return
        if patience is not None and isinstance(self._simulator.clock, VirtualClock):
            self._simulator.clock.sleep(patience)
        raise httpx.ReadTimeout("timed out", request=request)


def cut_body(body: bytes, cut: Cut) -> bytes:
    """Return the beginning of a body that a cut lets through: never all of it."""
    return body[: min(int(len(body) * cut.share), max(len(body) - 1, 0))]


def _response(reply: Reply, cut: Cut | None) -> httpx.Response:
    if cut is None:
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)
    part = cut_body(reply.body, cut)
    if cut.clean:
        return httpx.Response(reply.status, headers=dict(reply.headers), stream=httpx.ByteStream(part))
    headers = {**reply.headers, "content-length": str(len(reply.body))}
    return httpx.Response(reply.status, headers=headers, stream=_BrokenStream(part, len(reply.body)))


class _BrokenStream(httpx.SyncByteStream):
    """A body whose connection closes in the middle."""

    def __init__(self, part: bytes, announced: int) -> None:
        self._part = part
        self._announced = announced

    def __iter__(self) -> Iterator[bytes]:
        yield self._part
        raise httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body "
            f"(received {len(self._part)} bytes, expected {self._announced})"
        )
