"""The base that platform simulators stand on.

Subclass :class:`Simulator`, declare endpoints with :func:`endpoint`, answer from ``self.db``. The base brings state that
survives a kill, tokens, rate limits, a request log, fault programmes, pushes and the server. ``docs/simulators.md``
shows a whole one on a page. Needs the extra ``simulation``.
"""

from hub.simulation.server.call import Call, Caller, Params, Part, Reply
from hub.simulation.server.clock import CHINA, Clock, RealClock, VirtualClock
from hub.simulation.server.credentials import ALPHANUMERIC, DIGITS, HEX, derive
from hub.simulation.server.cursors import Cursors
from hub.simulation.server.database import Collection, Database
from hub.simulation.server.describe import Description
from hub.simulation.server.endpoints import Endpoint, action, endpoint
from hub.simulation.server.journal import Counts, Entry, Journal
from hub.simulation.server.limits import Limit, Limiter
from hub.simulation.server.pushes import Attempt, Push, PushRequest, PushSender, PushState, Subscription
from hub.simulation.server.simulator import Answer, Simulator
from hub.simulation.server.tokens import Token, TokenBook, TokenRule
from hub.simulation.server.transport import SimulatorTransport
from hub.simulation.server.trouble import Code, RefusalError, Trouble, TroubleError

__all__ = [
    "ALPHANUMERIC",
    "CHINA",
    "DIGITS",
    "HEX",
    "Answer",
    "Attempt",
    "Call",
    "Caller",
    "Clock",
    "Code",
    "Collection",
    "Counts",
    "Cursors",
    "Database",
    "Description",
    "Endpoint",
    "Entry",
    "Journal",
    "Limit",
    "Limiter",
    "Params",
    "Part",
    "Push",
    "PushRequest",
    "PushSender",
    "PushState",
    "RealClock",
    "RefusalError",
    "Reply",
    "Simulator",
    "SimulatorTransport",
    "Subscription",
    "Token",
    "TokenBook",
    "TokenRule",
    "Trouble",
    "TroubleError",
    "VirtualClock",
    "action",
    "derive",
    "endpoint",
]
