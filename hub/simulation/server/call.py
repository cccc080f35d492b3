"""One call as a simulator sees it, and one answer."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import httpx
import orjson
from starlette.datastructures import Headers, QueryParams

from hub.simulation.server.trouble import Trouble, TroubleError

if TYPE_CHECKING:
    from hub.simulation.server.endpoints import Endpoint

__all__ = ["Call", "Caller", "Params", "Part", "Reply"]


class _Required:
    """Marks a parameter without default."""


REQUIRED: Any = _Required()

D = TypeVar("D")


class Params(Mapping[str, Any]):
    """A call's parameters by name. Keys nobody asks for are ignored, as real gateways do.

    The readers raise :class:`TroubleError` (``PARAMETER_MISSING``, ``PARAMETER_INVALID``), which the simulator answers in
    the platform's own envelope. ``None`` counts as missing.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _read(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is not None:
            return value
        if default is REQUIRED:
            raise TroubleError(Trouble.PARAMETER_MISSING, field=name)
        return default

    def text(self, name: str, default: D = REQUIRED, *, longest: int | None = None) -> str | D:
        """Return a text of at most ``longest`` characters. A number is read as its digits."""
        value = self._read(name, default)
        if value is default:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _invalid(name, "must be a string")
        if longest is not None and len(str(value)) > longest:
            raise _invalid(name, f"longer than {longest} characters")
        return str(value)

    def integer(
        self, name: str, default: D = REQUIRED, *, least: int | None = None, most: int | None = None
    ) -> int | D:
        """Return a whole number within the bounds. A text of digits is read as a number."""
        value = self._read(name, default)
        if value is default:
            return default
        number = _whole(name, value)
        if least is not None and number < least:
            raise _invalid(name, f"less than {least}")
        if most is not None and number > most:
            raise _invalid(name, f"more than {most}")
        return number

    def number(self, name: str, default: D = REQUIRED, *, least: float | None = None) -> float | D:
        """Return a finite number of at least ``least``. A text holding one is read too."""
        value = self._read(name, default)
        if value is default:
            return default
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise _invalid(name, "must be a number")
        if least is not None and number < least:
            raise _invalid(name, f"less than {least:g}")
        return number

    def flag(self, name: str, default: D = REQUIRED) -> bool | D:
        """Return a truth value; ``1``, ``0`` and the words ``true`` and ``false`` are read too."""
        value = self._read(name, default)
        known = {"true": True, "1": True, "false": False, "0": False}
        if value is default:
            return default
        if str(value).lower() not in known:
            raise _invalid(name, "must be true or false")
        return known[str(value).lower()]

    def array(
        self, name: str, default: D = REQUIRED, *, most: int | None = None, encoded: bool = False
    ) -> list[Any] | D:
        """Return a list of at most ``most`` elements; with ``encoded`` a text holding a JSON list is read too."""
        value = _decoded(self._read(name, default), encoded=encoded)
        if value is default:
            return default
        if not isinstance(value, list):
            raise _invalid(name, "must be a list")
        if most is not None and len(value) > most:
            raise _invalid(name, f"more than {most} elements")
        return value

    def mapping(self, name: str, default: D = REQUIRED, *, encoded: bool = False) -> Params | D:
        """Return an object as :class:`Params`; with ``encoded`` a text holding a JSON object is read too."""
        value = _decoded(self._read(name, default), encoded=encoded)
        if value is default:
            return default
        if not isinstance(value, dict):
            raise _invalid(name, "must be an object")
        return Params(value)


def _invalid(name: str, detail: str) -> TroubleError:
    return TroubleError(Trouble.PARAMETER_INVALID, detail, field=name)


def _whole(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not text.removeprefix("-").isdecimal():
        raise _invalid(name, "must be a whole number")
    return int(text)


def _decoded(value: object, *, encoded: bool) -> object:
    if not encoded or not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a ``multipart/form-data`` body; ``filename`` is empty for a plain field."""

    name: str
    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        account: the merchant, corp or shop whose data is meant.
        app: the application acting for it.
        scopes: what the application may do.
        token: the credential used.
    """

    account: str
    app: str = ""
    scopes: frozenset[str] = frozenset()
    token: str = ""


@dataclass
class Call:
    """One HTTP request.

    Attributes:
        method: upper case.
        path: decoded, without the query.
        query: parameters of the URL; of a repeated one the last counts.
        headers: by name in any case.
        body: the bytes as sent, for signatures.
        client: the caller's address.
        endpoint: the matched endpoint, None when there is none.
        path_values: values of ``{names}`` in the endpoint's path.
        params: filled by ``Simulator.parse``.
        caller: filled by ``Simulator.authenticate``; an empty one for public endpoints.
        at: when the call came, Unix seconds of the simulator's clock.
    """

    method: str
    path: str
    query: QueryParams = field(default_factory=QueryParams)
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    client: str = "127.0.0.1"
    endpoint: Endpoint | None = None
    path_values: Mapping[str, str] = field(default_factory=dict)
    params: Params = field(default_factory=Params)
    caller: Caller = field(default_factory=lambda: Caller(""))
    at: float = 0.0

    @classmethod
    def from_httpx(cls, request: httpx.Request) -> Call:
        """Return the call that an httpx request makes."""
        return cls(
            method=request.method.upper(),
            path=request.url.path,
            query=QueryParams(request.url.query.decode("ascii")),
            headers=Headers(raw=[(name.lower(), value) for name, value in request.headers.raw]),
            body=request.read(),
        )

    @property
    def url(self) -> str:
        """The path with its query, as sent."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def json(self) -> Any:
        """Return the body as JSON whatever the content type; an empty body is an empty object.

        Raises:
            TroubleError: ``BODY_MALFORMED`` when it is not JSON in UTF-8.
        """
        if not self.body.strip():
            return {}
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise TroubleError(Trouble.BODY_MALFORMED, f"not JSON: {error}") from error

    def form(self) -> dict[str, str]:
        """Return the fields of a URL-encoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def parts(self) -> list[Part]:
        """Return the parts of a ``multipart/form-data`` body.

        Raises:
            TroubleError: ``BODY_MALFORMED`` when it is not multipart.
        """
        head = f"Content-Type: {self.headers.get('content-type', '')}\r\n\r\n".encode("latin-1")
        message = BytesParser(policy=HTTP).parsebytes(head + self.body)
        if not message.is_multipart():
            raise TroubleError(Trouble.BODY_MALFORMED, "not multipart/form-data")
        return [_part(part) for part in message.walk() if not part.is_multipart()]


def _part(message: Message) -> Part:
    return Part(
        name=str(message.get_param("name", "", header="content-disposition")),
        filename=message.get_filename() or "",
        content_type=message.get_content_type(),
        content=bytes(message.get_payload(decode=True) or b""),
    )


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer.

    Attributes:
        status: the HTTP status.
        body: the bytes.
        headers: sent as they are.
        code: the business code for the request log; empty for a success without one.
        refused: whether the platform said no.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    refused: bool = False

    @classmethod
    def json(cls, value: object, *, status: int = 200, code: str = "") -> Reply:
        """Return ``value`` as JSON; Chinese text stays as it is."""
        return cls(status, orjson.dumps(value), {"content-type": "application/json; charset=utf-8"}, code)

    @classmethod
    def text(cls, value: str, *, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Reply:
        """Return a plain text (or HTML, XML …)."""
        return cls(status, value.encode(), {"content-type": content_type})

    def with_headers(self, **headers: str) -> Reply:
        """Return a copy with more headers; an underscore in a name stands for a hyphen."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **added})

    def gzipped(self) -> Reply:
        """Return a copy with a gzip-compressed body."""
        packed = replace(self, body=gzip.compress(self.body, mtime=0))
        return packed.with_headers(content_encoding="gzip", vary="accept-encoding")
