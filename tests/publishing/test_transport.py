"""What the transport makes of a control port's answers, and what never shows in its errors."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from django_grip.protocol.keys import load_key
from django_grip.publishing import HttpTransport, Parcel
from django_grip.publishing.authority import JwtAuthority, bearer_authority
from django_grip.publishing.outcome import Rejected, TransportError, Turned, Unreached

from .conftest import MakeServer
from .servers import PATIENCE, Behaviour, ControlServer, accept, answer, in_turn

SECRET = "a-secret-that-is-long-enough-for-hs256-012345"


def send(transport: HttpTransport, *bodies: bytes, times: int = 1) -> None:
    parcels = [Parcel("test", body) for body in bodies or (b'{"channel":"test"}',)]
    try:
        for _ in range(times):
            transport.send(parcels, deadline=time.monotonic() + PATIENCE)
    finally:
        transport.close()


def failure(server: ControlServer, **options: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        send(HttpTransport(server.url, **options))
    return caught.value


def test_a_batch_is_one_post(server: ControlServer) -> None:
    send(HttpTransport(server.url + "/base?realm=x"), b'{"channel":"a"}', b'{"channel":"b"}')
    request = server.requests[0]
    assert request.target == "/base/publish/?realm=x"
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"items":[{"channel":"a"},{"channel":"b"}]}'
    assert "authorization" not in request.headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_success(make_server: MakeServer, status: int) -> None:
    send(HttpTransport(make_server(answer(status)).url))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_may_be_an_items_fault_is_told_as_such(make_server: MakeServer, status: int) -> None:
    error = failure(make_server(answer(status, "Invalid format: no 'content'\n")))
    assert isinstance(error, Rejected)
    assert str(error) == f"it answered {status}: Invalid format: no 'content'"
    assert (error.status, error.too_large) == (status, status == 413)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 411])
def test_what_is_our_own_fault_is_told_as_such(make_server: MakeServer, status: int) -> None:
    error = failure(make_server(answer(status)))
    assert isinstance(error, Turned)
    assert (str(error), error.status) == (f"it answered {status}", status)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_told_as_such(make_server: MakeServer, status: int) -> None:
    error = failure(make_server(answer(status, "later")))
    assert isinstance(error, Unreached)
    assert (str(error), error.uncertain, error.retry_after) == (f"it answered {status}: later", True, None)


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("-1", None)])
def test_retry_after_is_read_as_seconds(make_server: MakeServer, value: str, seconds: float | None) -> None:
    error = failure(make_server(answer(503, headers=f"Retry-After: {value}\r\n")))
    assert isinstance(error, Unreached)
    assert error.retry_after == seconds


def test_a_redirect_is_not_followed(make_server: MakeServer, server: ControlServer) -> None:
    location = f"Location: http://user:secret@127.0.0.1:{server.port}/publish/?key=secret\r\n"
    error = failure(make_server(answer(307, headers=location)))
    assert isinstance(error, Turned)
    where = f"http://127.0.0.1:{server.port}/publish"
    assert str(error) == f"it answered 307, a redirect to {where}, which is not followed"
    assert server.requests == []


def test_an_answer_is_shown_short_on_one_line_and_printable(make_server: MakeServer) -> None:
    error = failure(make_server(answer(404, "a\r\nb\x00\x1b[31m" + "x" * 1000)))
    assert str(error) == "it answered 404: a b??[31m" + "x" * 191


def test_a_token_that_the_answer_repeats_is_not_shown(make_server: MakeServer) -> None:
    error = failure(make_server(answer(404, f"you sent {SECRET}!")), authority=bearer_authority(SECRET))
    assert str(error) == "it answered 404: you sent ***!"


def test_user_and_password_of_the_url_are_sent_and_not_shown(server: ControlServer) -> None:
    transport = HttpTransport(f"http://user:{SECRET}@127.0.0.1:{server.port}")
    send(transport)
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert transport.url == server.url


def test_a_refused_jwt_is_minted_anew_once(make_server: MakeServer) -> None:
    now = iter([1000.0, 2000.0, 3000.0, 4000.0])
    server = make_server(in_turn(answer(401), accept))
    send(HttpTransport(server.url, JwtAuthority(load_key(SECRET), "realm", clock=lambda: next(now))))
    first, second = (request.headers["authorization"] for request in server.requests)
    assert first != second

    server.behave = answer(401)
    assert isinstance(failure(server, authority=JwtAuthority(load_key(SECRET), "realm")), Turned)
    assert len(server.requests) == 4


def test_a_refused_bearer_token_is_not_tried_again(make_server: MakeServer) -> None:
    server = make_server(answer(401))
    failure(server, authority=bearer_authority("token"))
    assert len(server.requests) == 1


Tls = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A server's context, and a client's that trusts it."""
    certificate = _make_certificate(tmp_path_factory.mktemp("tls"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    return serving, trusting


def test_a_tls_certificate_that_verifies_is_taken(make_server: MakeServer, tls: Tls) -> None:
    serving, trusting = tls
    server = make_server(answer(200, keep=True), wrap=lambda sock: serving.wrap_socket(sock, server_side=True))
    send(HttpTransport(server.url, tls=trusting), times=2)
    assert [request.connection for request in server.requests] == [1, 1]


def test_a_tls_certificate_that_does_not_verify_is_refused(make_server: MakeServer, tls: Tls) -> None:
    serving, _ = tls
    server = make_server(wrap=lambda sock: serving.wrap_socket(sock, server_side=True))
    error = failure(server)
    assert isinstance(error, Turned)
    assert str(error).startswith("its certificate does not verify: ")


def test_a_tls_certificate_for_another_host_is_refused(make_server: MakeServer, tls: Tls) -> None:
    serving, trusting = tls
    server = make_server(wrap=lambda sock: serving.wrap_socket(sock, server_side=True))
    with pytest.raises(Turned, match=r"its certificate does not verify: .*localhost"):
        send(HttpTransport(server.url.replace("127.0.0.1", "localhost"), tls=trusting))


def test_a_port_without_tls_is_told(make_server: MakeServer) -> None:
    def speak_plainly(sock: socket.socket) -> socket.socket:
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return sock

    url = make_server(wrap=speak_plainly).url
    with pytest.raises(Unreached, match=r"^no connection: TLS failed \(.*\)$"):
        send(HttpTransport(url))


def _make_certificate(directory: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    import datetime
    import ipaddress

    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = directory / "server.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    return file


def test_another_call_goes_below_the_control_url(server: ControlServer) -> None:
    behaviour: Behaviour = answer(200, "changed")
    server.behave = behaviour
    transport = HttpTransport(server.url + "/base", bearer_authority("token"))
    deadline = time.monotonic() + PATIENCE
    response = transport.call("/http/default/", {"host": "a b"}, {"X-Test": "yes"}, deadline=deadline)
    request = server.requests[0]
    assert (response.status, response.body) == (200, b"changed")
    assert (request.target, request.body) == ("/base/http/default/", b"host=a+b")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (request.headers["authorization"], request.headers["x-test"]) == ("Bearer token", "yes")
