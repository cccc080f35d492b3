"""For a mini-program's own backend: log-in, phone number and encrypted data, with the identifiers they give.

    with MiniProgram(WechatConfig(kind="miniprogram", appid=…, secret=…), runtime) as shop:
        login = shop.log_in(js_code)             # from wx.login
        phone = shop.phone(code, login.openid)   # from the phone button
        login.identifiers + phone.identifiers

With ``remember`` (the default) both are noted in the connection's folder, and stream ``users`` gives them to the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from hub.errors import RowError
from hub.records import Assurance, Identifier, IdentifierKind
from hub.runtime import Runtime
from plugins.wechat.client import WechatClient
from plugins.wechat.config import WechatConfig, data_folder
from plugins.wechat.crypto import decrypt_user_data
from plugins.wechat.logins import Logins
from plugins.wechat.mapping import identifiers_of

__all__ = ["Login", "MiniProgram", "Phone", "identifiers_in", "phone_in"]

_CHINA_CODE = "86"


@dataclass(frozen=True, slots=True)
class Login:
    """A log-in.

    Attributes:
        appid: the mini-program.
        openid: the person in this mini-program.
        session_key: decrypts what the client sends; keep it on the server.
        unionid: the person in all appids of the open-platform account, if the appid is bound to one.
    """

    appid: str
    openid: str
    session_key: str = field(repr=False)
    unionid: str | None = None

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """Openid and unionid."""
        return identifiers_of(self.appid, self.openid, self.unionid)


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that a person has handed over by a tap.

    Attributes:
        number: eleven digits, or ``+``, country and number for a foreign one.
        country_code: e.g. ``86``.
    """

    number: str = field(repr=False)
    country_code: str = _CHINA_CODE

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """The phone."""
        return (Identifier(kind=IdentifierKind.PHONE, value=self.number, assurance=Assurance.AUTHORISED),)


def phone_in(data: Mapping[str, Any], appid: str) -> Phone:
    """Read ``phone_info``, or the decrypted data of the older phone button.

    Raises:
        RowError: ``watermark_mismatch``: it is from another mini-program; ``phone_missing``: there is no number in it.
    """
    watermark = data.get("watermark")
    if not isinstance(watermark, Mapping) or watermark.get("appid") != appid:
        raise RowError("The phone number is not from this mini-program.", code="watermark_mismatch")
    pure, country = str(data.get("purePhoneNumber") or ""), str(data.get("countryCode") or _CHINA_CODE)
    if not pure:
        raise RowError("The answer holds no phone number.", code="phone_missing")
    return Phone(pure if country == _CHINA_CODE else f"+{country}{pure}", country)


def identifiers_in(data: Mapping[str, Any], appid: str) -> tuple[Identifier, ...]:
    """Return the identifiers in decrypted user data: openid and unionid (``getUserInfo``), or the phone.

    Raises:
        RowError: as :func:`phone_in`.
    """
    if data.get("purePhoneNumber"):
        return phone_in(data, appid).identifiers
    return identifiers_of(appid, str(data["openId"]), data.get("unionId")) if data.get("openId") else ()


class MiniProgram:
    """What a mini-program's backend asks WeChat.

    Args:
        config: the connection's settings.
        runtime: time, tokens and the folder's place.
        remember: whether who logs in is noted for stream ``users``.

    Every method raises ``RowError`` where WeChat refuses the code (``wechat_code_refused``: used, too old, made up;
    ``wechat_user_risky``), ``RetryError`` where it is busy, ``ConfigError`` where appid or secret are wrong.
    """

    def __init__(self, config: WechatConfig, runtime: Runtime, *, remember: bool = True) -> None:
        self._config = config
        self._runtime = runtime
        self._client = WechatClient(config, runtime)
        self._logins = Logins(data_folder(config, runtime)) if remember else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the file of log-ins."""
        self._client.close()
        if self._logins is not None:
            self._logins.close()

    def log_in(self, js_code: str) -> Login:
        """Redeem the code of ``wx.login`` (code2session)."""
        answer = self._client.session_of(js_code)
        unionid = str(answer["unionid"]) if answer.get("unionid") else None
        login = Login(self._config.appid, str(answer["openid"]), str(answer["session_key"]), unionid)
        self._note(login.openid, unionid=unionid)
        return login

    def phone(self, code: str, openid: str = "") -> Phone:
        """Redeem the code of the phone button; each success costs the account money.

        Args:
            code: not the one of ``wx.login``.
            openid: who taps; the number is noted for stream ``users`` only with it.
        """
        phone = phone_in(self._client.phone_of(code, openid), self._config.appid)
        if openid:
            self._note(openid, phone=phone.number)
        return phone

    def decrypt(self, login: Login, encrypted_data: str, iv: str) -> dict[str, Any]:
        """Decrypt ``encryptedData``; see :func:`plugins.wechat.crypto.decrypt_user_data` and :func:`identifiers_in`."""
        data = decrypt_user_data(login.session_key, encrypted_data, iv, self._config.appid)
        if data.get("purePhoneNumber"):
            self._note(login.openid, phone=phone_in(data, self._config.appid).number)
        elif data.get("unionId"):
            self._note(login.openid, unionid=str(data["unionId"]))
        return data

    def _note(self, openid: str, **known: str | None) -> None:
        if self._logins is not None:
            self._logins.note(openid, int(self._runtime.now().timestamp()), **known)
