"""A simulated corp: the WeCom endpoints that the connector uses, faithful in envelopes, limits and error codes."""

from plugins.wecom.simulator.corp import WecomSimulator

__all__ = ["WecomSimulator"]
