"""The base class of every platform simulator."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pyarrow as pa
import pyarrow.compute as pc

from hub.errors import PluginError, StoreError
from hub.simulation import faults
from hub.simulation.faults import Busy, CallEffect, Drop, ExpireToken, Programme, ServerError, ShiftPage, Throttle
from hub.simulation.server import control
from hub.simulation.server.call import Call, Params, Reply
from hub.simulation.server.clock import Clock, RealClock, VirtualClock
from hub.simulation.server.crowd import Crowd
from hub.simulation.server.cursors import Cursors
from hub.simulation.server.database import Database
from hub.simulation.server.describe import Description
from hub.simulation.server.endpoints import Endpoint, Routes, actions_of, endpoints_of
from hub.simulation.server.faulting import FaultBook
from hub.simulation.server.host import Host
from hub.simulation.server.journal import Journal
from hub.simulation.server.limits import Limiter
from hub.simulation.server.platform import Platform
from hub.simulation.server.postman import Postman
from hub.simulation.server.pushes import PushSender
from hub.simulation.server.tokens import TokenBook
from hub.simulation.server.transport import SimulatorTransport
from hub.simulation.server.trouble import RefusalError, Trouble, TroubleError

__all__ = ["Answer", "Simulator"]

log = logging.getLogger("hub.simulation")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gets: the reply, and the fault that delivery has to apply. No reply: nothing is sent."""

    reply: Reply | None
    effect: CallEffect | None = None


class Simulator(Platform):
    """A local copy of one platform's API. Subclass it, declare endpoints, override the hooks that differ.

    Everything a call writes through ``self.db`` (and tokens, limits, log) is one transaction; calls are worked off one
    at a time. See ``docs/simulators.md`` for a complete example.

    Args:
        world: the simulated chain that this platform sees a part of; the base only keeps it.
        state: the file that keeps everything between restarts; None keeps it in memory.
        seed: decides credentials, tokens and ids.
        clock: real time unless given.
        programme: the fault programme in force, by name or as an object.
        push_transport: an httpx transport that pushed messages go through instead of the network.
    """

    def __init__(
        self,
        world: Any = None,
        *,
        state: Path | None = None,
        seed: int = 0,
        clock: Clock | None = None,
        programme: Programme | str = "none",
        push_transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not self.name or not hasattr(type(self), "title"):
            raise PluginError(f"{type(self).__name__} needs a name and a title.", code="simulator_incomplete")
        self.world = world
        self.seed = seed
        self.clock: Clock = clock or RealClock()
        self.endpoints: Sequence[Endpoint] = endpoints_of(type(self))
        self.crashes: list[Exception] = []
        self._routes = Routes(self.endpoints, self.prefix)
        self._crowd = Crowd()
        self._host: Host | None = None
        self._postman: Postman | None = None
        self._opening = threading.RLock()
        self._opened = False
        self._keep_state(state, push_transport)
        try:
            self.use_faults(programme)
        except BaseException:
            self.db.close()
            raise

    def _keep_state(self, state: Path | None, push_transport: httpx.BaseTransport | None) -> None:
        self.db = Database(state)
        self.tokens = TokenBook(self.db, self.clock, self.stem)
        self.limiter = Limiter(self.db)
        self.journal = Journal(self.db)
        self.cursors = Cursors(self.clock, self.stem)
        self.fault_book = FaultBook(self.db)
        self.pushes = PushSender(
            self, self.db, self.clock, lambda: self.fault_book.programme, seed=self.stem, transport=push_transport
        )

    @property
    def base_url(self) -> str:
        """Where the simulator answers; a name that only :meth:`transport` knows until it is started."""
        return f"http://{self._host.address}:{self._host.port}" if self._host else f"http://{self.name}.localhost"

    @property
    def actions(self) -> list[str]:
        """The names of what :meth:`act` can make happen."""
        return actions_of(type(self))

    def act(self, action: str, /, **params: object) -> object:
        """Make something happen on the platform's side; see :func:`action`. Returns what the action returns."""
        if action not in self.actions:
            raise TroubleError(Trouble.NO_SUCH_ENDPOINT, f"no action {action!r}; there are: {', '.join(self.actions)}")
        self.open()
        with self.db.transaction():
            result: object = getattr(self, action)(Params(params))
        return result

    def use_faults(self, programme: Programme | str, *, seed: int | None = None, **settings: float) -> None:
        """Put a fault programme in force; ``"none"`` ends it."""
        if isinstance(programme, str):
            programme = faults.programme(programme, seed=self.seed if seed is None else seed, **settings)
        if any(rule.name == "page_shift" for rule in programme.rules) and self._cannot_shift():
            raise PluginError(
                f"Simulator {self.name} does not say what changes between two pages.",
                code="simulator_without_page_shift",
                hint="Override shift_page, or choose another fault programme.",
            )
        self.fault_book.use(programme)

    def _cannot_shift(self) -> bool:
        return any(each.paged for each in self.endpoints) and type(self).shift_page is Platform.shift_page

    def describe(self) -> Description:
        """Return address, credentials and a ready ``hub.toml`` table."""
        self.open()
        return Description(self.name, self.title, self.base_url, self.credentials, self.connection(self.base_url))

    def hub_toml(self) -> str:
        """Return the ready connection, named after the platform, and its syncs."""
        return f"{self.describe().hub_toml(self.connection_name)}\n{self.syncs(self.connection_name)}"

    def move_to(self, moment: dt.datetime) -> None:
        """Let what happened in the world until ``moment`` be seen; a moment that was reached before changes nothing."""
        self.open()
        if not self.view:
            return
        with self.db.transaction():
            since = dt.datetime.fromisoformat(str(self.db.fact("world_at")))
            if moment > since:
                self.catch_up(since, self.world.at(moment))
                self.db.remember("world_at", moment.isoformat())

    def people(self, state: Any) -> dict[str, pa.Table]:
        """Return ``source_id`` and ``person_id`` of every profile shown: the truth, never readable through the API."""
        if not self.view:
            return {}
        truth = state.truth.profiles
        mine = truth.filter(pc.equal(truth["platform"], self.view)).select(["member_id", "person_id"])
        return {self.connection_name: mine.rename_columns(["source_id", "person_id"])}

    def transport(self) -> SimulatorTransport:
        """Return an httpx transport that reaches this simulator without a socket."""
        self.open()
        return SimulatorTransport(self)

    # ---- life ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Make the tables and fill them once. Called by everything that needs it; calling it again does nothing."""
        with self._opening:
            if self._opened:
                return
            self._opened = True  # before the work: fill() may use what opens by itself
            try:
                self._prepare()
            except BaseException:
                self._opened = False
                raise

    def _prepare(self) -> None:
        self.db.create(self.tables)
        with self.db.transaction():
            self._claim_state()
            if self.db.fact("filled") is None:
                self.fill()
                self.db.remember("filled", 1)
                if self.view:
                    self.db.remember("world_at", self.world.end.isoformat())
        if isinstance(self.clock, VirtualClock):
            self.clock.advance_to(float(self.db.fact("now") or 0.0))

    def _claim_state(self) -> None:
        owner = self.db.fact("owner")
        if owner not in (None, self.stem):
            raise StoreError(
                f"This state belongs to simulator and seed {owner}, not {self.stem}.",
                code="simulator_state_foreign",
                hint="Give another state file, or delete this one to begin anew.",
                context={"file": self.db.path or ":memory:"},
            )
        self.db.remember("owner", self.stem)

    def start(self, address: str = "127.0.0.1", port: int = 0) -> Self:
        """Serve on a port (0: a free one) until :meth:`stop`; on real time, messages are pushed as they fall due."""
        if self._host is not None:
            return self
        self.open()
        host = Host(self, address, port)
        host.start()
        self._host = host
        if isinstance(self.clock, RealClock):
            self._postman = Postman(self.pushes, self.clock, self.crashes.append)
            self._postman.start()
        return self

    def stop(self) -> None:
        """Close the port. The state stays open; in-process calls and :meth:`start` still work."""
        if self._postman is not None:
            self._postman.stop()
            self._postman = None
        if self._host is not None:
            host, self._host = self._host, None
            host.stop()

    def close(self) -> None:
        """Stop, and close the state."""
        self.stop()
        self.pushes.close()
        self.db.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; raise the first error of a handler that only its caller's socket has heard of."""
        self.close()
        if error is None and self.crashes:
            raise self.crashes[0]

    # ---- one call ------------------------------------------------------------------------------------------------

    def handle(self, call: Call) -> Answer:
        """Work off one call. Raises whatever goes wrong inside the simulator itself; nothing is kept then."""
        self.open()
        call.at = self.clock.time()
        if control.is_control(call):
            return Answer(control.answer(self, call))
        refused = self._match(call)
        with self._crowd.joined(self.contended(call)) as crowded, self.db.transaction():
            return self._serve(call, refused or crowded)

    def handle_safely(self, call: Call) -> Answer:
        """Like :meth:`handle`, but a bug of the simulator is logged, kept in :attr:`crashes` and answered with 500."""
        try:
            return self.handle(call)
        except Exception as error:
            log.exception("simulator %s failed in %s %s", self.name, call.method, call.path)
            self.crashes.append(error)
            return Answer(self.gateway_page(500))

    def _match(self, call: Call) -> TroubleError | None:
        try:
            self._routes.match(call)
        except TroubleError as error:
            return error
        return None

    def _serve(self, call: Call, refused: TroubleError | None) -> Answer:
        hit = self.fault_book.decide(call, self.request_key(call))
        effect = hit.effect if hit else None
        unheard = isinstance(effect, Drop) and not effect.after_work
        reply = None if unheard else self._reply(call, effect, refused)
        accepted = reply is not None and not reply.refused
        answered = not isinstance(effect, Drop | faults.Hang)
        self.journal.add(call, reply, accepted=accepted, fault=hit.rule if hit else "", answered=answered)
        if isinstance(self.clock, VirtualClock):
            self.db.remember("now", self.clock.time())
        return Answer(reply, effect)

    def _reply(self, call: Call, effect: CallEffect | None, refused: TroubleError | None) -> Reply:
        if isinstance(effect, ServerError):
            return replace(self.gateway_page(effect.status), code=str(effect.status), refused=True)
        try:
            if refused is not None:
                raise refused
            self._check(call, effect)
            reply = self._work(call, effect)
        except RefusalError as refusal:
            reply = self._refused(call, refusal)
        except TroubleError as error:
            reply = self._refused(call, self.refusal(call, error))
        return self.finish(call, reply)

    def _refused(self, call: Call, refusal: RefusalError) -> Reply:
        reply = replace(self.error_reply(call, refusal), code=str(refusal.code), refused=True)
        if refusal.retry_after is not None and reply.status in (429, 503):
            return reply.with_headers(retry_after=str(max(1, round(refusal.retry_after))))
        return reply

    def _check(self, call: Call, effect: CallEffect | None) -> None:
        if isinstance(effect, ExpireToken) and (token := self.token_of(call)):
            (self.tokens.revoke if effect.revoked else self.tokens.expire)(token)
        for check in self.checks:
            match check:
                case "body":
                    call.params = self.parse(call)
                case "token" if not _is_public(call):
                    call.caller = self.authenticate(call)
                case "permission" if not _is_public(call):
                    self.authorise(call)
                case "limit":
                    self._limit(call, effect)

    def _limit(self, call: Call, effect: CallEffect | None) -> None:
        if isinstance(effect, Throttle):
            raise TroubleError(Trouble.RATE_LIMITED, retry_after=self.throttle_pause)
        if isinstance(effect, Busy):
            raise TroubleError(Trouble.BUSY)
        self.limiter.charge(self.limits_for(call), call)

    def _work(self, call: Call, effect: CallEffect | None) -> Reply:
        if isinstance(effect, ShiftPage):
            self.shift_page(call, faults.dice(effect.seed))
        if call.endpoint is None:
            raise TroubleError(Trouble.NO_SUCH_ENDPOINT, call.path)
        with self.db.transaction():
            result = call.endpoint.handler(self, call)
        if isinstance(result, RefusalError):
            raise result
        return result if isinstance(result, Reply) else self.envelope(call, result)


def _is_public(call: Call) -> bool:
    return call.endpoint is not None and call.endpoint.public
