"""The real network stack against a real socket on loopback: each fault is told apart as the scripted ones are."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from hub.errors import ConfigError, RetryError
from hub.http import ApiClient, CallOptions, HeaderToken, QueryToken, Timeouts

Behaviour = Callable[[socket.socket], None]
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server:
    """Accepts connections on loopback and treats each as the test says."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.behaviour: Behaviour = lambda connection: None
        self.speaks_tls = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                if not self.speaks_tls:
                    self.requests.append(connection.recv(65_536))
                self.behaviour(connection)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        self._thread.join(5)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def send(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def tls_with(context: ssl.SSLContext) -> Behaviour:
    def shake_hands(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError, OSError):
            context.wrap_socket(connection, server_side=True).close()

    return shake_hands


def one_try(client: ApiClient) -> str:
    with client, pytest.raises(RetryError) as caught:
        client.get("/x", options=CallOptions(tries=1))
    return f"{caught.value.code} sent={caught.value.sent}"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (send(b""), "http_connection_dropped"),
        (send(b"HTTP/1.1 200 OK\r\nContent-"), "http_connection_dropped"),
        (send(JSON_HEAD + b'Content-Length: 100\r\n\r\n{"orders":['), "http_connection_dropped"),
        (send(JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ord\r\n'), "http_connection_dropped"),
        (send(JSON_HEAD + b'Connection: close\r\n\r\n{"orders":['), "http_body_unreadable"),
        (send(b"this is not HTTP at all\r\n\r\n"), "http_connection_dropped"),
        (send(JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot a zip"), "http_body_unreadable"),
    ],
)
def test_a_broken_answer_is_named(behaviour: Behaviour, expected: str, server: Server) -> None:
    server.behaviour = behaviour
    assert one_try(ApiClient(server.url)) == f"{expected} sent=True"


def test_a_refused_connection_was_never_sent(server: Server) -> None:
    server.close()
    assert one_try(ApiClient(server.url)) == "http_connect_failed sent=False"


@pytest.mark.parametrize("secret", ["line-one\nline-two-s3cr3t", "密钥-s3cr3t"])
def test_a_credential_that_is_no_valid_header_is_named_but_not_quoted(secret: str, server: Server) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiClient(server.url, auth=HeaderToken(secret)).get("/x")
    assert caught.value.code == "http_request_malformed"
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_a_certificate_that_nobody_vouches_for_is_a_matter_for_a_person(server: Server, tmp_path: Path) -> None:
    server.behaviour, server.speaks_tls = tls_with(self_signed(tmp_path)), True
    with pytest.raises(ConfigError) as caught:
        ApiClient(server.url.replace("http://", "https://")).get("/x")
    assert caught.value.code == "http_tls_untrusted"


def test_a_silent_platform_runs_into_the_read_limit(server: Server) -> None:
    done = threading.Event()
    server.behaviour = lambda connection: void(done.wait(10))
    assert one_try(ApiClient(server.url, timeouts=Timeouts(read=0.05))) == "http_read_timeout sent=True"
    done.set()


def void(_: object) -> None:
    return None


def test_an_answer_whose_parts_drip_in_runs_into_the_total_limit(server: Server) -> None:
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(JSON_HEAD + b"Content-Length: 1000\r\n\r\n")
        while not done.wait(0.02):
            connection.sendall(b" ")

    server.behaviour = drip
    code = one_try(ApiClient(server.url, timeouts=Timeouts(read=5, total=0.2)))
    done.set()
    assert code in {"http_total_timeout sent=True", "http_read_timeout sent=True"}


def test_the_network_stack_logs_no_url_and_no_header_of_ours(server: Server) -> None:
    server.behaviour = send(JSON_HEAD + b"Content-Length: 2\r\n\r\n{}")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        for auth in (QueryToken("query-s3cr3t-99"), HeaderToken("header-s3cr3t-99")):
            with ApiClient(server.url, auth=auth) as client:
                client.get("/x", {"mobile": "15400001234"})
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert b"query-s3cr3t-99" in server.requests[0]
    assert b"header-s3cr3t-99" in server.requests[1]
    shown = stream.getvalue()
    assert "CallRecord" in shown
    for hidden in ("s3cr3t", "15400001234"):
        assert hidden not in shown
