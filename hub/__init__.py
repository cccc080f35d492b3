"""An open customer-data hub for store chains.

Quick start, the same verbs as the ``hub`` command::

    import hub

    with hub.open_hub("hub.toml") as chain:
        hub.ingest(chain)        # files and platforms -> warehouse
        hub.resolve(chain)       # profiles -> customers
        hub.score(chain)         # customers -> traits
        hub.segment(chain)       # traits -> segments
        hub.publish(chain)       # an immutable snapshot of it all
        hub.push(chain)          # what changed -> every destination

``hub.run(chain)`` does all six in order and returns what each stage did. Everything here is imported on first use, so that
``import hub`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.context import Hub, open_hub
    from hub.pipeline.ingest import ingest
    from hub.pipeline.publish import publish
    from hub.pipeline.push import push
    from hub.pipeline.reconcile import adopt, reconcile, resend
    from hub.pipeline.resolve import resolve
    from hub.pipeline.run import run
    from hub.pipeline.score import score
    from hub.pipeline.segment import segment

    __version__: str

__all__ = [
    "Hub",
    "__version__",
    "adopt",
    "ingest",
    "open_hub",
    "publish",
    "push",
    "reconcile",
    "resend",
    "resolve",
    "run",
    "score",
    "segment",
]

_HOMES = {
    "Hub": "hub.context",
    "adopt": "hub.pipeline.reconcile",
    "ingest": "hub.pipeline.ingest",
    "open_hub": "hub.context",
    "publish": "hub.pipeline.publish",
    "push": "hub.pipeline.push",
    "reconcile": "hub.pipeline.reconcile",
    "resend": "hub.pipeline.reconcile",
    "resolve": "hub.pipeline.resolve",
    "run": "hub.pipeline.run",
    "score": "hub.pipeline.score",
    "segment": "hub.pipeline.segment",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("customer-hub")
    if name not in _HOMES:
        raise AttributeError(f"module 'hub' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
