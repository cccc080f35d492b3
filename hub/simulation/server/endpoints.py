"""Endpoints and actions: how methods of a simulator are reached.

@endpoint("POST", "/members/list", group="members", paged=True)
def list_members(self, call: Call) -> object: ...

@action
def join(self, params: Params) -> object: ...      # what happens on the platform's side, not through its API
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.routing import compile_path

from hub.errors import PluginError
from hub.simulation.server.call import Call
from hub.simulation.server.limits import Limit
from hub.simulation.server.trouble import Trouble, TroubleError

__all__ = ["Endpoint", "Routes", "action", "actions_of", "endpoint", "endpoints_of"]

Handler = TypeVar("Handler", bound=Callable[..., object])


@dataclass(frozen=True)
class Endpoint:
    """One method and path of a platform's API.

    Attributes:
        name: stands in the request log; the path unless given.
        method: upper case.
        path: may contain ``{names}``.
        handler: the simulator's method that does the work.
        group: endpoints that share limits or rights.
        write: whether it changes data; writes are counted and may be dropped after they were done.
        paged: whether it is read page by page; tokens end and data shifts between its pages.
        public: whether it needs no caller (the token endpoint itself).
        limits: rate limits of its own, added to the simulator's.
        at_once: most calls at the same time, None for no limit.
    """

    name: str
    method: str
    path: str
    handler: Callable[[Any, Call], object]
    group: str = ""
    write: bool = False
    paged: bool = False
    public: bool = False
    limits: tuple[Limit, ...] = ()
    at_once: int | None = None


def endpoint(
    method: str,
    *paths: str,
    name: str = "",
    group: str = "",
    write: bool = False,
    paged: bool = False,
    public: bool = False,
    limits: Sequence[Limit] = (),
    at_once: int | None = None,
) -> Callable[[Handler], Handler]:
    """Serve a simulator's method under ``method`` and each of ``paths``; may be stacked. See :class:`Endpoint`.

    The method takes a :class:`Call` and returns a JSON-able value for ``Simulator.envelope``, or a :class:`Reply` that is
    sent as it is; it raises :class:`RefusalError` or :class:`TroubleError` to say no.
    """

    def mark(handler: Handler) -> Handler:
        found = [
            Endpoint(name or path, method.upper(), path, handler, group, write, paged, public, tuple(limits), at_once)
            for path in paths
        ]
        handler.__dict__.setdefault("simulated_endpoints", []).extend(found)
        return handler

    return mark


def action(handler: Handler) -> Handler:
    """Mark a method that makes something happen on the platform's side: a member joins, a guide presses "send".

    It takes :class:`Params` and returns a JSON-able value. Call it through ``Simulator.act`` or the control address.
    """
    handler.__dict__["simulated_action"] = True
    return handler


def endpoints_of(simulator: type) -> list[Endpoint]:
    """Return every endpoint declared in a class and its bases, by path and method.

    A method that overrides another without declaring endpoints of its own serves those of the overridden one.
    """
    found: list[Endpoint] = []
    for attribute in dir(simulator):
        versions = [vars(base)[attribute] for base in simulator.__mro__ if attribute in vars(base)]
        declared = next((marks for each in versions if (marks := getattr(each, "simulated_endpoints", None))), ())
        found.extend(replace(each, handler=versions[0]) for each in declared)
    return sorted(found, key=lambda each: (each.path, each.method))


def actions_of(simulator: type) -> list[str]:
    """Return the names of every action declared in a class and its bases."""
    return [name for name in dir(simulator) if getattr(getattr(simulator, name, None), "simulated_action", False)]


class Routes:
    """Finds the endpoint for a method and path; fixed paths come before those with ``{names}``."""

    def __init__(self, endpoints: Iterable[Endpoint], prefix: str = "") -> None:
        self._fixed: dict[str, dict[str, Endpoint]] = {}
        self._patterns: dict[re.Pattern[str], dict[str, Endpoint]] = {}
        for each in endpoints:
            self._add(prefix + each.path, each)

    def _add(self, path: str, each: Endpoint) -> None:
        if "{" in path:
            methods = self._patterns.setdefault(compile_path(path)[0], {})
        else:
            methods = self._fixed.setdefault(path, {})
        if each.method in methods:
            raise PluginError(
                f"{each.method} {path} is served by two methods.",
                code="simulator_endpoint_twice",
                hint="Give each endpoint one handler.",
            )
        methods[each.method] = each

    def match(self, call: Call) -> None:
        """Fill the call's ``endpoint`` and ``path_values``.

        Raises:
            TroubleError: ``NO_SUCH_ENDPOINT``, or ``WRONG_METHOD`` with the methods that would do.
        """
        methods = self._find(call)
        if not methods:
            raise TroubleError(Trouble.NO_SUCH_ENDPOINT, call.path)
        if call.method not in methods:
            raise TroubleError(Trouble.WRONG_METHOD, ", ".join(sorted(methods)))
        call.endpoint = methods[call.method]

    def _find(self, call: Call) -> dict[str, Endpoint]:
        if call.path in self._fixed:
            return self._fixed[call.path]
        for pattern, methods in self._patterns.items():
            if matched := pattern.match(call.path):
                call.path_values = matched.groupdict()
                return methods
        return {}
