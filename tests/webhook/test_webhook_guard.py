"""The address guard: which addresses it refuses, what an allow-list lifts, and that it connects where it looked."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from webhook_rig import SECRET, Rig, operations

from hub.destination import OutcomeStatus
from hub.errors import ConfigError, RetryError, StreamError
from plugins.webhook.config import WebhookConfig
from plugins.webhook.destination import WebhookDestination
from plugins.webhook.guard import AllowList, GuardedTransport, permitted_addresses, system_addresses
from plugins.webhook.inbox import LocalReceiver

PUBLIC = "93.184.215.14"


class Names:
    """A name server whose answers change from question to question."""

    def __init__(self, *answers: str | list[str]) -> None:
        self.answers = [[answer] if isinstance(answer, str) else answer for answer in answers]
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def ask(addresses: str | list[str], *allow: str, host: str = "crm.example.com") -> list[str]:
    return permitted_addresses(host, 443, Names(addresses), AllowList.of(allow))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # carrier-grade NAT
        "198.18.0.7",  # benchmarking; also the "fake IP" of local proxies
        "169.254.169.254",  # metadata of most clouds
        "100.100.100.200",  # metadata of Alibaba Cloud
        "192.0.0.192",  # metadata of Oracle Cloud
        "168.63.129.16",  # metadata of Azure, a public address
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",  # metadata of AWS
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:a00:1",
        "::127.0.0.1",  # IPv4-compatible
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "64:ff9b::a9fe:a9fe",  # NAT64 of 169.254.169.254
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
        "2001:db8::1",
    ],
)
def test_an_address_inside_is_refused(address: str) -> None:
    with pytest.raises(StreamError) as caught:
        ask(address)
    assert caught.value.code == "address_forbidden"
    assert "allow" in caught.value.hint


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_a_public_address_is_permitted(address: str) -> None:
    assert ask(address) == [str(ipaddress.ip_address(address))]


def test_one_inside_address_among_public_ones_condemns_the_answer() -> None:
    with pytest.raises(StreamError):
        ask([PUBLIC, "10.0.0.1"])


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_never_makes_it_permitted(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(0x64FF9B << 96 | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80),
    ]

    def permitted(text: str) -> bool:
        try:
            ask(text)
        except StreamError:
            return False
        return True

    assert not [form for form in wrapped if permitted(str(form)) and not permitted(str(address))]


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "127.1", "0x7f.1", "127.0.0.1", "localhost"])
def test_every_spelling_of_this_machine_is_seen_through(rig: Rig, spelling: str) -> None:
    destination = rig.connect(None, url=f"http://{spelling}:9/", allow_http=True)
    with pytest.raises(StreamError) as caught:
        rig.send(destination, "events", operations(1))
    assert caught.value.code == "address_forbidden"


@pytest.mark.parametrize(
    ("address", "allow"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.0.0/16"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ("fd12::5", "fd12::/16"),
        ("10.1.2.3", "crm.example.com"),
        ("127.0.0.1", "CRM.example.com"),
        ("169.254.169.254", "169.254.169.254"),
    ],
)
def test_the_allow_list_lifts_the_ban(address: str, allow: str) -> None:
    assert len(ask(address, allow)) == 1


@pytest.mark.parametrize(
    ("address", "allow"),
    [
        ("10.2.0.1", "10.1.0.0/16"),
        ("10.1.2.3", "other.example.com"),
        ("10.1.2.3", "example.com"),
        ("169.254.169.254", "crm.example.com"),
        ("100.100.100.200", "crm.example.com"),
        ("::ffff:169.254.169.254", "crm.example.com"),
        ("ff02::1", "crm.example.com"),
    ],
)
def test_the_allow_list_lifts_no_more_than_it_says(address: str, allow: str) -> None:
    with pytest.raises(StreamError):
        ask(address, allow)


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "http://x", "a/b", "1.2.3", "host:80", "", "a b"])
def test_an_allow_list_entry_that_is_neither_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        AllowList.of([entry])


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    guarded = GuardedTransport(httpx.MockTransport(answer), AllowList(), Names("2606:4700::1111"))
    with httpx.Client(transport=guarded) as client:
        client.post("https://crm.example.com:8443/hook?x=1", content=b"{}")
    assert str(seen[0].url) == "https://[2606:4700::1111]:8443/hook?x=1"
    assert seen[0].headers["host"] == "crm.example.com:8443"
    assert seen[0].extensions["sni_hostname"] == "crm.example.com"


def test_a_name_that_moves_inside_between_two_attempts_is_caught(rig: Rig, receiver: LocalReceiver) -> None:
    names = Names(PUBLIC, "127.0.0.1")
    opened: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        opened.append(request.url.host)
        raise httpx.ConnectError("unreachable", request=request)

    guarded = GuardedTransport(httpx.MockTransport(refuse), AllowList(), names)
    destination = rig.connect(guarded, url=receiver.url.replace("127.0.0.1", "rebind.example.com"), allow_http=True)
    with pytest.raises(StreamError) as caught:
        rig.send(destination, "events", operations(1))
    assert caught.value.code == "address_forbidden"
    assert opened == [PUBLIC]
    assert len(names.asked) == 2
    assert receiver.inbox.events() == []


def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "1.1.1.1":
            raise httpx.ConnectTimeout("slow", request=request)
        return httpx.Response(200, text=request.url.host)

    guarded = GuardedTransport(httpx.MockTransport(answer), AllowList(), Names(["1.1.1.1", "1.0.0.1"]))
    with httpx.Client(transport=guarded) as client:
        assert client.get("https://crm.example.com").text == "1.0.0.1"


def test_a_name_that_cannot_be_resolved_is_a_passing_fault(rig: Rig) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    destination = rig.connect(None, resolve=unknown)
    with pytest.raises(RetryError) as caught:
        rig.send(destination, "events", operations(1))
    assert not caught.value.sent
    assert [check.ok for check in destination.check()] == [False, False]


def test_the_system_gives_each_address_once() -> None:
    assert system_addresses("127.0.0.1", 443) == ["127.0.0.1"]


def test_plain_http_needs_permission() -> None:
    settings = {"url": "http://crm.example.com/", "secrets": [SECRET]}
    with pytest.raises(ValidationError, match="allow_http"):
        WebhookConfig.model_validate(settings)
    assert WebhookConfig.model_validate({**settings, "allow_http": True}).url.startswith("http:")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example.com",
        "https://u:p@a.example.com",
        "https://",
        "a",
        "https://a.example.com/#x",
        "https://0177.0.0.1/",
        "https://a b.example.com/",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url must"):
        WebhookConfig.model_validate({"url": url, "secrets": [SECRET]})


# A real TLS server on this machine, under a name that only the test's resolver knows.


class TlsServer:
    """Answers every request with 204 and notes the name the client asked for."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.names: list[str | None] = []
        self.hosts: list[str] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            with plain:
                self._talk(plain)

    def _talk(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                stream = secure.makefile("rb")
                headers = http.client.parse_headers(_after_request_line(stream))
                stream.read(int(headers["content-length"]))
                self.hosts.append(headers["host"])
                secure.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        except (ssl.SSLError, OSError):
            return  # The client refused the certificate; what it then reports is what the test looks at.

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def _after_request_line(stream: BinaryIO) -> BinaryIO:
    stream.readline()
    return stream


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(*pem))
    return paths


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[TlsServer]:
    server = TlsServer(*_certificate(tmp_path, "crm.example.com"))
    yield server
    server.close()


def _tls_destination(rig: Rig, tls: TlsServer, host: str, **settings: Any) -> WebhookDestination:
    config = WebhookConfig.model_validate(
        {"url": f"https://{host}:{tls.port}/", "secrets": [SECRET], "allow": ["127.0.0.0/8"], **settings}
    )
    return WebhookDestination(config, rig.runtime(base=rig.scratch), Names("127.0.0.1"))


def test_the_pinned_connection_still_names_and_checks_the_host(rig: Rig, tls: TlsServer) -> None:
    destination = _tls_destination(rig, tls, "crm.example.com", ca_file="cert.pem")
    (outcome,) = rig.send(destination, "events", operations(1))
    destination.close()
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert tls.names == ["crm.example.com"]
    assert tls.hosts == [f"crm.example.com:{tls.port}"]


@pytest.mark.parametrize(
    ("host", "settings"), [("other.example.com", {"ca_file": "cert.pem"}), ("crm.example.com", {})]
)
def test_a_certificate_of_another_name_or_of_nobody_is_refused(
    rig: Rig, tls: TlsServer, host: str, settings: dict[str, str]
) -> None:
    destination = _tls_destination(rig, tls, host, **settings)
    with pytest.raises(StreamError) as caught:
        rig.send(destination, "events", operations(1))
    destination.close()
    assert caught.value.code == "http_tls_untrusted"
    assert tls.hosts == []


def test_a_certificate_file_that_cannot_be_read_is_named(rig: Rig, tls: TlsServer) -> None:
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        _tls_destination(rig, tls, "crm.example.com", ca_file="missing.pem")
