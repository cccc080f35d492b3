"""A simulated official account and its mini-program: the WeChat endpoints that the connector uses, and what belongs to them."""

from plugins.wechat.simulator.chain import WechatSimulator

__all__ = ["WechatSimulator"]
