"""The control address of a simulator: what a person or a test in another process may look at and change.

It lies under ``/_simulator``, beside the platform's own API. It is not logged, not limited and never hit by faults, and
it knows nothing of the world's truth.

    GET  /_simulator              address, credentials, endpoints, actions, fault programme, time
    GET  /_simulator/requests     the request log; ?endpoint= ?after= ?limit= …
    GET  /_simulator/counters     calls, accepted, refused and faults per endpoint
    GET  /_simulator/pushes       pushed messages; ?state=queued|delivered|dead|lost
    POST /_simulator/clock        {"advance": seconds}        (virtual time only)
    POST /_simulator/faults       {"name": …, "seed": …, "rate": …}
    POST /_simulator/actions/NAME {…}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from hub.errors import HubError
from hub.simulation.server.call import Call, Params, Reply
from hub.simulation.server.clock import VirtualClock
from hub.simulation.server.pushes import PushState
from hub.simulation.server.trouble import DEFAULT_CODES, RefusalError, Trouble, TroubleError

if TYPE_CHECKING:
    from hub.simulation.server.simulator import Simulator

__all__ = ["ROOT", "answer", "is_control"]

ROOT = "/_simulator"


def is_control(call: Call) -> bool:
    """Say whether a call is meant for the control address."""
    return call.path == ROOT or call.path.startswith(f"{ROOT}/")


def answer(simulator: Simulator, call: Call) -> Reply:
    """Answer a control call with JSON; troubles come with an HTTP status and a message."""
    try:
        result = _found(simulator, call)(_params(call))
    except TroubleError as error:
        return _sorry(DEFAULT_CODES[error.trouble].refusal(error))
    except RefusalError as refusal:
        return _sorry(RefusalError(refusal.code, refusal.message, status=409))
    except HubError as error:
        return _sorry(RefusalError(error.code, str(error), status=400))
    return Reply.json(result)


def _sorry(refusal: RefusalError) -> Reply:
    return Reply.json({"error": refusal.code, "message": refusal.message}, status=refusal.status)


def _params(call: Call) -> Params:
    body = call.json() if call.method == "POST" else dict(call.query)
    if not isinstance(body, dict):
        raise TroubleError(Trouble.BODY_MALFORMED, "not a JSON object")
    return Params(body)


def _found(simulator: Simulator, call: Call) -> Callable[[Params], object]:
    desk = _Desk(simulator)
    known: dict[tuple[str, str], Callable[[Params], object]] = {
        ("GET", ""): desk.overview,
        ("GET", "/requests"): desk.requests,
        ("GET", "/counters"): desk.counters,
        ("GET", "/pushes"): desk.pushes,
        ("POST", "/clock"): desk.clock,
        ("POST", "/faults"): desk.faults,
    }
    path = call.path.removeprefix(ROOT).rstrip("/")
    if call.method == "POST" and path.startswith("/actions/"):
        return lambda params: simulator.act(path.removeprefix("/actions/"), **params)
    if (call.method, path) not in known:
        raise TroubleError(Trouble.NO_SUCH_ENDPOINT, call.path)
    return known[call.method, path]


class _Desk:
    """What the control address can do."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def overview(self, _params: Params) -> object:
        simulator = self._simulator
        return {
            **simulator.describe().as_dict(),
            "endpoints": [
                {"method": each.method, "path": simulator.prefix + each.path} for each in simulator.endpoints
            ],
            "actions": simulator.actions,
            "faults": simulator.fault_book.programme.name,
            "now": simulator.clock.time(),
        }

    def requests(self, params: Params) -> object:
        entries = self._simulator.journal.entries(
            endpoint=params.text("endpoint", None),
            group=params.text("group", None),
            account=params.text("account", None),
            code=params.text("code", None),
            fault=params.text("fault", None),
            after=params.integer("after", 0),
            limit=params.integer("limit", 1000),
        )
        return [asdict(entry) for entry in entries]

    def counters(self, _params: Params) -> object:
        return {endpoint: asdict(counts) for endpoint, counts in self._simulator.journal.counts().items()}

    def pushes(self, params: Params) -> object:
        text = params.text("state", None)
        if text is not None and text not in set(PushState):
            raise TroubleError(Trouble.PARAMETER_INVALID, f"one of {', '.join(PushState)}", field="state")
        sender = self._simulator.pushes
        return [
            {**asdict(push), "log": [asdict(attempt) for attempt in sender.attempts(push.number)]}
            for push in sender.pushes(PushState(text) if text else None)
        ]

    def clock(self, params: Params) -> object:
        clock = self._simulator.clock
        if not isinstance(clock, VirtualClock):
            raise TroubleError(Trouble.NOT_PERMITTED, "this simulator runs on real time")
        clock.advance(params.number("advance", least=0.0))
        return {"now": clock.time()}

    def faults(self, params: Params) -> object:
        settings = {name: params.number(name) for name in params if name not in ("name", "seed")}
        self._simulator.use_faults(params.text("name"), seed=params.integer("seed", None), **settings)
        return {"faults": self._simulator.fault_book.programme.name}
