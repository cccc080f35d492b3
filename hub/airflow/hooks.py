"""Open the hub within a task; secrets may come from an Airflow connection and so from any secrets backend."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.context import Hub

__all__ = ["HubHook"]


class HubHook(BaseHook):
    """Opens the hub of a ``hub.toml``.

    Args:
        config: the ``hub.toml``; the connection's, else ``HUB_CONFIG``.
        hub_conn_id: an Airflow connection of type ``hub``. Without one ``${NAME}`` comes from the environment alone.
    """

    conn_name_attr = "hub_conn_id"
    default_conn_name = "hub_default"
    conn_type = "hub"
    hook_name = "Customer hub"

    def __init__(self, config: str | None = None, hub_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.config = config
        self.hub_conn_id = hub_conn_id

    @contextmanager
    def opened(self, parent: str = "") -> Iterator[Hub]:
        """Open the hub; its runs belong to ``parent``.

        Raises:
            ConfigError, StoreError: it cannot be opened; the message says why.
        """
        from hub.context import open_hub

        extra = self._extra()
        with open_hub(self.config or extra.get("config") or None, environ=self._environ(extra)) as hub:
            hub.store.runs.parent = parent
            yield hub

    def test_connection(self) -> tuple[bool, str]:
        """Open the hub, for the button in Airflow's form."""
        try:
            with self.opened() as hub:
                return True, f"{len(hub.settings.connections)} connections, {len(hub.settings.syncs)} syncs"
        except Exception as error:  # noqa: BLE001 - whatever is wrong is the answer
            return False, str(error)

    def _extra(self) -> dict[str, Any]:
        try:
            return dict(self.get_connection(self.hub_conn_id).extra_dejson)
        except AirflowNotFoundException:
            return {}

    def _environ(self, extra: Mapping[str, Any]) -> dict[str, str]:
        """The connection's secrets, and over them the process's environment."""
        given = extra.get("secrets") or {}
        try:
            secrets = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            secrets = None
        if not isinstance(secrets, dict):
            raise ConfigError(
                f"The secrets of Airflow connection {self.hub_conn_id!r} are not a JSON object.",
                hint='Write {"SHOP_SECRET": "…"}: what ${NAME} in hub.toml stands for.',
            )
        return {**{str(name): str(value) for name, value in secrets.items()}, **os.environ}
