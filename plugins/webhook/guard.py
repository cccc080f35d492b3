"""Keep webhooks from being turned against the hub's own network (server-side request forgery).

The host is resolved anew at each attempt; every address found must be public or allowed; the connection then goes to the
address that was checked, not to whatever the name points to a moment later (DNS rebinding). ``Host`` and the TLS name stay
those of the URL. Address classes: IANA special-purpose registries (RFC 6890), as :mod:`ipaddress` knows them.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx

from hub.errors import StreamError

__all__ = ["AllowList", "GuardedTransport", "Resolve", "permitted_addresses", "system_addresses"]

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host and port; raises ``OSError`` where there are none."""

#: Cloud metadata services outside the link-local range: AWS on IPv6, Alibaba Cloud, Oracle Cloud, Azure.
_METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
#: RFC 6052: the last 32 bits are an IPv4 address that a gateway connects to.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_IPV4_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True)
class AllowList:
    """Exceptions a person has made.

    A network (or single address) lifts the ban for just those addresses. A host name lifts it for whatever private address
    the name has, but never for metadata, link-local or multicast addresses: those must be given as an address.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowList:
        """Read entries such as ``crm.example.com``, ``10.1.2.3`` and ``10.1.0.0/16``.

        Raises:
            ValueError: an entry is neither a host name nor a network.
        """
        hosts, networks = set[str](), list[IPNetwork]()
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                hosts.add(_host_name(entry))
        return cls(frozenset(hosts), tuple(networks))

    def has_address(self, address: IPAddress) -> bool:
        """Say whether the address is listed."""
        return any(address in network for network in self.networks if network.version == address.version)


def _host_name(entry: str) -> str:
    try:
        url = httpx.URL(f"https://{entry}/")
        name = url.raw_host.decode().rstrip(".")
    except (httpx.InvalidURL, UnicodeError):
        name = ""
    looks_like_address = name.replace(".", "").isdigit()
    if not _NAME.fullmatch(name) or looks_like_address or url != httpx.URL(f"https://{url.host}/"):
        raise ValueError(f"{entry!r} is neither a host name nor a network such as 10.1.0.0/16") from None
    return name


def system_addresses(host: str, port: int) -> list[str]:
    """Ask the operating system for the addresses of a host, each once, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _inner_addresses(address: IPAddress) -> Iterator[IPAddress]:
    """Yield the address and every IPv4 address that is wrapped in it."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    for wrapped in (address.ipv4_mapped, address.sixtofour, teredo[1] if teredo else None):
        if wrapped is not None:
            yield wrapped


def _never_by_name(address: IPAddress) -> bool:
    return address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified


def _is_permitted(address: IPAddress, host: str, allow: AllowList) -> bool:
    forms = tuple(_inner_addresses(address))
    if any(allow.has_address(form) for form in forms):
        return True
    if any(_never_by_name(form) for form in forms):
        return False
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    # A mapped address is judged by what is inside: its outer form is never global.
    return host in allow.hosts or all(form.is_global for form in forms[mapped:])


def permitted_addresses(host: str, port: int, resolve: Resolve, allow: AllowList) -> list[str]:
    """Resolve a host and return its addresses, all of them checked.

    One forbidden address condemns the answer: a name with a public and a private address is how rebinding begins.

    Raises:
        StreamError: code ``address_forbidden``: an address is private, local or a metadata service, and not allowed.
        OSError: the name cannot be resolved.
    """
    found = [ipaddress.ip_address(text) for text in resolve(host, port)]
    forbidden = [address for address in found if not _is_permitted(address, host.rstrip("."), allow)]
    if forbidden:
        raise StreamError(
            f"The endpoint's host {host} resolves to {forbidden[0]}, an address inside a private or reserved network.",
            code="address_forbidden",
            hint="If the receiver is really there, list its host or network under `allow` of the connection.",
        )
    return [str(address) for address in found]


class GuardedTransport(httpx.BaseTransport):
    """Checks the address of every request and connects to just that address.

    Args:
        inner: makes the connections; must not go through a proxy, which would resolve the name itself.
        allow: exceptions.
        resolve: finds addresses; the operating system unless given.
    """

    def __init__(self, inner: httpx.BaseTransport, allow: AllowList, resolve: Resolve = system_addresses) -> None:
        self._inner = inner
        self._allow = allow
        self._resolve = resolve

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first checked address that takes the connection.

        Raises:
            StreamError: code ``address_forbidden``.
            httpx.TransportError: the name cannot be resolved, or no address takes the connection.
        """
        host = request.url.raw_host.decode("ascii").strip("[]")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = permitted_addresses(host, port, self._resolve, self._allow)
        except OSError:
            raise httpx.ConnectError("The host name cannot be resolved.", request=request) from None
        failure: httpx.TransportError = httpx.ConnectError("The host name has no address.", request=request)
        for address in addresses:
            try:
                return self._inner.handle_request(_pinned(request, address, host))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def _pinned(request: httpx.Request, address: str, host: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        # Names the certificate that is expected, and the virtual host, although the connection goes to an address.
        extensions={**request.extensions, "sni_hostname": host},
    )
