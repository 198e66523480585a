#!/usr/bin/env python3
"""What RFC 9110 and RFC 9112 want of a server of files, with plain sockets: one TAP line a case, named by its section.
Arguments: folder of the tools, backend, failing_read."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from email.utils import formatdate

tools, backend, failing_read = sys.argv[1:4]
patience = 60
cases = []


def case(section):
    def add(function):
        cases.append((section, function))
        return function
    return add


class Answer:
    def __init__(self, status, version, fields, body):
        self.status, self.version, self.fields, self.body = status, version, fields, body

    def __getitem__(self, name):
        """The value of a field that is there once, else None."""
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0] if found else None


class Client:
    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=patience)
        self.stream = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def answer(self, method="GET"):
        line = self.stream.readline()
        match = re.fullmatch(rb"(HTTP/1\.1) (\d{3}) ([ -~]+)\r\n", line)
        assert match, f"no status line: {line!r}"
        fields = []
        while True:
            line = self.stream.readline()
            assert line.endswith(b"\r\n"), f"no field: {line!r}"
            if line == b"\r\n":
                break
            name, value = line[:-2].split(b": ", 1)
            fields.append((name.decode(), value.decode("latin-1")))
        answer = Answer(int(match[2]), match[1].decode(), fields, b"")
        if method != "HEAD" and answer.status >= 200 and answer.status not in (204, 304):
            length = int(answer["Content-Length"])
            answer.body = self.stream.read(length)
            assert len(answer.body) == length, "the body is short"
        return answer

    def ends(self):
        """Whether the server has ended the connection, with nothing more in it."""
        return self.stream.read() == b""

    def goes_on(self):
        self.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        return self.answer().body == b"hello there\n"

    def close(self):
        self.stream.close()
        self.socket.close()


class Server:
    def __init__(self, *options, under=()):
        """`under`: the command that runs the server."""
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name) / "site"
        (self.root / "sub").mkdir(parents=True)
        (self.root / "dir").mkdir()
        for name, text in [("hello", "hello there\n"), ("index.html", "<p>home\n"), ("ten", "0123456789"),
                           ("sub/index.html", "sub\n"), ("sub/a b", "spaces\n"), ("empty", ""), ("x%y", "percent\n"),
                           ("style.css", "p {}\n"), ("note.TXT", "note\n"), ("comma,name", "comma\n")]:
            (self.root / name).write_text(text)
        (self.root / "link").symlink_to("hello")
        (self.root.parent / "secret").write_text("not for you\n")
        old = time.time() - 3600
        os.utime(self.root / "ten", (old, old))
        self.process = subprocess.Popen(
            [*under, f"{tools}/proa-serve", "--backend", backend, "--strict", "--listen", "127.0.0.1:0", *options, str(self.root)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.match(r"listening on 127.0.0.1:(\d+) ", line)
        assert match, f"{line!r} {self.process.stderr.read() if not match else ''}"
        self.port = int(match[1])

    def client(self):
        return Client(self)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=patience)
        leftover = [str(p) for p in self.root.rglob(".proa-upload-*")]
        self.folder.cleanup()
        assert self.process.returncode == 0, f"exit status {self.process.returncode}: {errors}"
        assert not leftover, f"left behind: {leftover}"


def ask(server, target="/hello", *fields, method="GET", version="HTTP/1.1", body=b"", host=True):
    """One request on a connection of its own."""
    client = server.client()
    lines = [f"{method} {target} {version}"] + (["Host: x"] if host else []) + list(fields)
    client.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    answer = client.answer(method)
    client.close()
    return answer


def put(server, target, data, *fields):
    return ask(server, target, f"Content-Length: {len(data)}", *fields, method="PUT", body=data)


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def refused(server, request, status=400):
    """Refused, and nothing behind it is answered."""
    client = server.client()
    client.send(request)
    equal(client.answer().status, status)
    assert client.ends(), "the connection goes on"
    client.close()


def accepted(server, request, status=200):
    client = server.client()
    client.send(request)
    answer = client.answer()
    equal(answer.status, status)
    assert client.goes_on()
    client.close()
    return answer


# The message (RFC 9112)

@case("9112 2.2: empty lines before a request are ignored")
def _(server):
    accepted(server, "\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9112 2.2: an empty line behind a body is ignored")
def _(server):
    client = server.client()
    client.send("PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n")
    equal(client.answer().status, 201)
    assert client.goes_on()


@case("9112 2.2: a line that ends with LF alone is refused")
def _(server):
    refused(server, "GET /hello HTTP/1.1\nHost: x\n\n")
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\n\r\n")
    refused(server, "\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9112 2.2: CR that no LF follows is refused")
def _(server):
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\rY: b\r\n\r\n")
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\nX:\rTransfer-Encoding: chunked\r\n\r\n")
    refused(server, "GET /hel\rlo HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9112 2.2: a space between the request line and the first field is refused")
def _(server):
    refused(server, "GET /hello HTTP/1.1\r\n Host: x\r\n\r\n")


@case("9112 2.3: HTTP/1.0 is answered, and the connection ends")
def _(server):
    client = server.client()
    client.send("GET /hello HTTP/1.0\r\n\r\n")
    answer = client.answer()
    equal((answer.status, answer["Connection"], answer.body), (200, "close", b"hello there\n"))
    assert client.ends()


@case("9110 15.6.6: another major version is 505")
def _(server):
    refused(server, "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505)
    refused(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)


@case("9112 2.3: what is no version of HTTP is refused")
def _(server):
    for version in ["http/1.1", "HTTP/1", "HTTP/1.1 ", "HTTP/01.1", "HTTP/1.1a", "RTSP/1.0", "HTTPS/1.1"]:
        refused(server, f"GET /hello {version}\r\nHost: x\r\n\r\n")
    refused(server, "GET /hello\r\n\r\n")


@case("9112 3: more than one space in the request line is refused")
def _(server):
    refused(server, "GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(server, "GET /hello  HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(server, " GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(server, "GET\t/hello HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(server, "GET /hel lo HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9112 3: what is no HTTP at all is refused")
def _(server):
    refused(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    refused(server, "nonsense\r\n\r\n", 501)


@case("9112 3: a target of 8000 characters is taken")
def _(server):
    accepted(server, "GET /hello?" + "q" * 7993 + " HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9110 15.5.15: a longer target is 414")
def _(server):
    refused(server, "GET /" + "q" * 20000 + " HTTP/1.1\r\nHost: x\r\n\r\n", 414)


@case("6585 5: too large a head is 431, also one that never ends")
def _(server):
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\nX: " + "y" * 40000, 431)
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 200 + "\r\n", 431)


@case("9112 3.2: Host is needed in HTTP/1.1")
def _(server):
    refused_status = ask(server, host=False)
    equal(refused_status.status, 400)
    equal(ask(server, version="HTTP/1.0", host=False).status, 200)


@case("9112 3.2: two Host fields are refused")
def _(server):
    refused(server, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")


@case("9112 3.2: a Host that is none is refused")
def _(server):
    for host in ["a b", "a/b", "user@a", "a\"b", "a\\b", "x:a", "x:80:90", "%zz", "%4", "[::1", "[::1]x", "[x]", "[", "]", "a]b"]:
        refused(server, f"GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n")
    equal(ask(server, "/hello", "Host:", host=False).status, 200)
    for host in ["[::1]:8080", "[::1]", "x:", "a%41_b:80"]:
        equal(ask(server, "/hello", f"Host: {host}", host=False).status, 200)


@case("9112 3.2.2: the absolute form")
def _(server):
    for target in ["http://x/hello", "HTTP://other:80/hello", "https://x/hello?q"]:
        equal(accepted(server, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").body, b"hello there\n")
    equal(ask(server, "http://x").body, b"<p>home\n")
    equal(ask(server, "http://x?q=1").body, b"<p>home\n")
    refused(server, "GET ftp://x/hello HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(server, "GET http:///hello HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(server, "GET http://x:a/hello HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9112 3.2.3: the authority form is for CONNECT alone, which is not allowed")
def _(server):
    answer = ask(server, "x:80", method="CONNECT")
    equal(answer.status, 405)
    equal(ask(server, "x:80").status, 400)


@case("9112 3.2.4: OPTIONS *")
def _(server):
    answer = ask(server, "*", method="OPTIONS")
    equal((answer.status, answer["Allow"], answer["Content-Length"]), (200, "GET, HEAD, OPTIONS, PUT", "0"))
    equal(ask(server, "*").status, 400)


@case("9112 5: a name that is none is refused")
def _(server):
    for line in ["X : a", ": a", "X(: a", "X\x7f: a", "X\xe4: a", "X", "X\0: a", "\x01: a", "@: a", "X\t: a",
                 "Transfer-Encoding\x0b: chunked", "Content-Length\0: 5", "Content-Length : 5", "Content@Length: 5", " Content-Length: 5",
                 "Content-L\xe4ngth: 5", "X: a\nContent-Length: 5", "X: a\rContent-Length: 5"]:
        refused(server, f"GET /hello HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n")


@case("9110 5.5: a value with control characters is refused, others pass")
def _(server):
    for value in ["a\0b", "a\x01b", "a\x7fb", "a\x0bb"]:
        refused(server, f"GET /hello HTTP/1.1\r\nHost: x\r\nX: {value}\r\n\r\n")
    accepted(server, "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\tb \xe4\r\n!#$%&'*+-.^_`|~9:x\r\nE:\r\n\r\n")


@case("9112 5.2: a folded line is refused")
def _(server):
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n")
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n")


def put_at_once(server, target, condition):
    """The statuses of four uploads, each of which has begun before another has ended."""
    clients = [server.client() for _ in range(4)]
    for client in clients:
        client.send(f"PUT {target} HTTP/1.1\r\nHost: x\r\n{condition}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    for client in clients:
        equal(client.answer().status, 100)
    for client in clients:
        client.send("12345")
    statuses = sorted(client.answer().status for client in clients)
    for client in clients:
        client.close()
    return statuses


@case("9110 13.1.1, 13.1.2: of uploads that go on at the same time one alone meets its condition")
def _(server):
    equal(put_at_once(server, "/raced", "If-None-Match: *\r\n"), [201, 412, 412, 412])
    tag = ask(server, "/raced")["ETag"]
    equal(put_at_once(server, "/raced", f"If-Match: {tag}\r\n"), [204, 412, 412, 412])


@case("9110 9.3.4: of uploads of a new name that go on at the same time one alone is told 201")
def _(server):
    equal(put_at_once(server, "/raced-too", ""), [201, 204, 204, 204])


# How long a body is (RFC 9112, 6 and 7)

@case("9112 6.1: Transfer-Encoding and Content-Length together are refused")
def _(server):
    for fields in ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"]:
        refused(server, f"PUT /p HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9112 6.1: Transfer-Encoding in HTTP/1.0 is refused")
def _(server):
    refused(server, "PUT /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


@case("9112 6.1: a coding that nobody knows is 501")
def _(server):
    refused(server, "PUT /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501)


@case("9112 6.3: a body whose last coding is not chunked is refused")
def _(server):
    for coding in ["gzip", "identity", "xchunked", "chunkedx", "chunked, gzip", "\"chunked\"", "chunked\r\nTransfer-Encoding: x",
                   "chunked, chunked"]:
        refused(server, f"PUT /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")


@case("9112 6.3: several lengths are refused")
def _(server):
    for lengths in ["5\r\nContent-Length: 6", "5, 6", "5\r\nContent-Length: 5", "5,5"]:
        refused(server, f"PUT /p HTTP/1.1\r\nHost: x\r\nContent-Length: {lengths}\r\n\r\n12345")


@case("9112 6.3: a length that is no number is refused")
def _(server):
    for length in ["+5", "-5", "5a", "0x5", "", "1 2", "5;", "18446744073709551616", "1.0", "\xb2"]:
        refused(server, f"PUT /hello HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n12345")
    equal((server.root / "hello").read_text(), "hello there\n")


@case("9110 15.5.14: a length that no file has is 413")
def _(server):
    for length in ["18446744073709551615", "9223372036854775808"]:
        refused(server, f"PUT /hello HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n", 413)
    equal((server.root / "hello").read_text(), "hello there\n")


@case("9110 15.5.12: PUT without a length is 411")
def _(server):
    equal(ask(server, "/p", method="PUT").status, 411)


@case("9112 7.1: a chunked body, with extensions, trailer fields and a request behind it")
def _(server):
    client = server.client()
    client.send("PUT /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                "3;a=b\r\nabc\r\n0A;c=\"d\"\r\n0123456789\r\n000\r\nX: y\r\nZ:\r\n\r\n")
    equal(client.answer().status, 201)
    assert client.goes_on()
    equal((server.root / "chunked").read_bytes(), b"abc0123456789")


@case("9112 7.1: a chunked body byte by byte, and a large one")
def _(server):
    client = server.client()
    for byte in b"PUT /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
        client.send(bytes([byte]))
    equal(client.answer().status, 201)
    data = os.urandom(3000000)
    client.send("PUT /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for begin in range(0, len(data), 70001):
        part = data[begin:begin + 70001]
        client.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    client.send("0\r\n\r\n")
    equal(client.answer().status, 204)
    assert (server.root / "slow").read_bytes() == data
    assert client.goes_on()


@case("9112 7.1: chunks that are none are refused, and nothing is stored")
def _(server):
    for body in ["3\nabc\n0\n\n", "3\r\nabcXX0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n",
                 "g\r\n", "10000000000000003\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "3;\"a\r\nabc\r\n0\r\n\r\n",
                 "3\r\nabc\r\n0\r\nX\x01: y\r\n\r\n", "3\r\nabc\r\n0\n\r\n"]:
        refused(server, "PUT /broken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        assert not (server.root / "broken").exists(), body


@case("9112 7.1.1: extensions and trailers without end are refused")
def _(server):
    start = "PUT /broken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in ["1;" + "a" * 100000, "1;a=b\r\nx\r\n" * 20000, "0\r\n" + "X: y\r\n" * 20000]:
        client = server.client()
        try:
            client.send(start + body)
        except ConnectionError:
            pass
        assert client.answer().status in (400, 431)
        client.close()


@case("9112 6: GET with a body is refused")
def _(server):
    refused(server, "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\nGET /ten HTTP/1.1\r\nHost: x\r\n\r\n....")
    accepted(server, "GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")


@case("9112 8: a body that breaks off stores nothing")
def _(server):
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"]:
        client = server.client()
        client.send(f"PUT /hello HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n5\r\nabcde\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        equal(client.answer().status, 400)
        assert client.ends()
        equal((server.root / "hello").read_text(), "hello there\n")


# Connections (RFC 9112, 9)

@case("9112 9.3: HTTP/1.1 goes on unasked")
def _(server):
    equal(accepted(server, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")["Connection"], None)


@case("9112 9.3: HTTP/1.0 goes on if asked, and is told")
def _(server):
    client = server.client()
    for _ in range(2):
        client.send("GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        equal(client.answer()["Connection"], "keep-alive")


@case("9110 7.6.1: Connection is a list, over several fields, and close wins")
def _(server):
    for fields in ["Connection: TE, close", "Connection: close\r\nConnection: keep-alive", "Connection: keep-alive , CLOSE",
                   "Connection: ,,close"]:
        client = server.client()
        client.send(f"GET /hello HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n{fields}\r\n\r\n")
        equal(client.answer()["Connection"], "close")
        assert client.ends()
    accepted(server, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: closed, x-close\r\n\r\n")


@case("9112 9.3.2: requests in one packet are answered in order")
def _(server):
    client = server.client()
    one = "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
    client.send(one % "hello" + one % "none" + one % "ten" + (one % "empty").replace("GET", "HEAD") + one % "style.css")
    equal([client.answer().status, client.answer().status, client.answer().body, client.answer("HEAD")["Content-Length"],
           client.answer().body], [200, 404, b"0123456789", "0", b"p {}\n"])


@case("9112 9.6: after a request with close the rest is not answered")
def _(server):
    client = server.client()
    client.send("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /ten HTTP/1.1\r\nHost: x\r\n\r\n")
    equal(client.answer().status, 200)
    assert client.ends()


@case("9112 9.6: a peer that has ended its side is still answered")
def _(server):
    client = server.client()
    client.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    equal(client.answer().body, b"hello there\n")
    assert client.ends()


@case("9110 7.8: Upgrade is ignored")
def _(server):
    accepted(server, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                     "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")


# Methods (RFC 9110, 9)

@case("9110 9.1: a method that nobody knows is 501")
def _(server):
    for method in ["FOO", "get", "GETS", "G"]:
        refused(server, f"{method} /hello HTTP/1.1\r\nHost: x\r\n\r\n", 501)
    refused(server, "G(T /hello HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9110 15.5.6: a method that is not allowed is 405, with Allow")
def _(server):
    for method in ["POST", "DELETE", "PATCH", "TRACE"]:
        answer = ask(server, method=method)
        equal((answer.status, answer["Allow"]), (405, "GET, HEAD, OPTIONS, PUT"))


@case("9110 9.3.2: HEAD has the fields of GET, and no body")
def _(server):
    client = server.client()
    for target in ["/hello", "/none", "/", "/sub"]:
        client.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\nHEAD {target} HTTP/1.1\r\nHost: x\r\n\r\n")
        got, head = client.answer(), client.answer("HEAD")
        equal(head.status, got.status)
        equal([f for f in head.fields if f[0] != "Date"], [f for f in got.fields if f[0] != "Date"])
    assert client.goes_on()


@case("9110 9.3.7: OPTIONS of a path")
def _(server):
    answer = accepted(server, "OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    equal((answer.status, answer["Allow"]), (200, "GET, HEAD, OPTIONS, PUT"))


@case("9110 9.3.4: PUT of a new file is 201, of an old one 204, with the new ETag")
def _(server):
    answer = put(server, "/new", b"one")
    equal(answer.status, 201)
    equal(answer["ETag"], ask(server, "/new")["ETag"])
    again = put(server, "/new", b"two")
    equal((again.status, ask(server, "/new").body), (204, b"two"))
    assert again["ETag"] != answer["ETag"]


@case("9110 9.3.4: PUT replaces the file whole: who reads the old one reads on")
def _(server):
    (server.root / "whole").write_bytes(b"old")
    with open(server.root / "whole", "rb") as old:
        equal(put(server, "/whole", b"newer").status, 204)
        equal((old.read(), (server.root / "whole").read_bytes()), (b"old", b"newer"))


@case("9110 9.3.4: PUT keeps a file's permissions")
def _(server):
    (server.root / "private").write_bytes(b"old")
    os.chmod(server.root / "private", 0o600)
    equal(put(server, "/private", b"new").status, 204)
    equal((server.root / "private").stat().st_mode & 0o777, 0o600)
    os.chmod(server.root / "private", 0o400)
    equal(put(server, "/private", b"newer").status, 403)


@case("9110 9.3.4: PUT where no file can be")
def _(server):
    equal(put(server, "/sub", b"x").status, 409)
    equal(put(server, "/link", b"x").status, 409)
    equal(put(server, "/none/new", b"x").status, 404)
    equal(put(server, "/hello/new", b"x").status, 404)
    equal((server.root / "hello").read_text(), "hello there\n")


@case("9110 14.5: PUT with Content-Range is refused")
def _(server):
    equal(put(server, "/ten", b"456789", "Content-Range: bytes 4-9/10").status, 400)
    equal((server.root / "ten").read_bytes(), b"0123456789")


@case("9110 10.1.1: Expect: 100-continue")
def _(server):
    client = server.client()
    client.send("PUT /expected HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
    equal(client.answer().status, 100)
    client.send("abc")
    equal(client.answer().status, 201)
    assert client.goes_on()


@case("9110 10.1.1: a refusal comes instead of 100, and the connection ends")
def _(server):
    client = server.client()
    client.send("PUT /sub HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    answer = client.answer()
    equal((answer.status, answer["Connection"]), (409, "close"))
    assert client.ends()


@case("9110 10.1.1: HTTP/1.0 gets no 100")
def _(server):
    client = server.client()
    client.send("PUT /expected HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
    assert client.answer().status in (201, 204)


@case("9110 15.5.18: another expectation is 417")
def _(server):
    equal(ask(server, "/hello", "Expect: chocolate").status, 417)


# What is answered (RFC 9110, 6, 8)

@case("9110 6.6.1: Date in every answer")
def _(server):
    for answer in [ask(server), ask(server, "/none"), ask(server, "*", method="OPTIONS"), put(server, "/dated", b"x"),
                   ask(server, "/hello", "If-None-Match: *"), ask(server, host=False)]:
        assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", answer["Date"])


@case("9110 8.3: Content-Type by extension")
def _(server):
    for target, kind in [("/", "text/html"), ("/style.css", "text/css"), ("/note.TXT", "text/plain; charset=utf-8"),
                         ("/hello", "application/octet-stream")]:
        equal(ask(server, target)["Content-Type"], kind)


@case("9110 8.8.2: Last-Modified, never in the future")
def _(server):
    modified = int((server.root / "ten").stat().st_mtime)
    equal(ask(server, "/ten")["Last-Modified"], formatdate(modified, usegmt=True))
    (server.root / "future").write_bytes(b"x")
    os.utime(server.root / "future", (time.time() + 9999, time.time() + 9999))
    answer = ask(server, "/future")
    equal(answer["Last-Modified"], answer["Date"])


@case("9110 8.8.3: ETag, another for another version")
def _(server):
    (server.root / "versions").write_bytes(b"one")
    first = ask(server, "/versions")["ETag"]
    assert re.fullmatch(r'"[!#-~]+"', first)
    equal(ask(server, "/versions")["ETag"], first)
    (server.root / "versions").write_bytes(b"three")
    assert ask(server, "/versions")["ETag"] != first


@case("9110 15.4.2: a folder without its slash is told where it is")
def _(server):
    equal(ask(server, "/sub/").body, b"sub\n")
    answer = ask(server, "/sub?q=1")
    equal((answer.status, answer["Location"]), (301, "/sub/?q=1"))
    equal(ask(server, "//sub")["Location"], "/sub/")
    equal(ask(server, "/dir/").status, 404)


def content_of(size):
    return bytes(ord("a") + i % 23 for i in range(size))


@case("9110 9.3.1: files on both sides of the size up to which they are sent with the head")
def _(server):
    for size in [0, 1, 32768, 32769]:
        data = content_of(size)
        (server.root / "sized").write_bytes(data)
        whole = ask(server, "/sized")
        equal((whole.status, whole["Content-Length"]), (200, str(size)))
        assert whole.body == data, f"another content of {size} bytes"
        head = ask(server, "/sized", method="HEAD")
        equal((head.status, head["Content-Length"]), (200, str(size)))
        equal(ask(server, "/sized", f"If-None-Match: {whole['ETag']}").status, 304)
        equal(ask(server, "/sized", 'If-Match: "x"').status, 412)
        if size > 0:
            answer = ask(server, "/sized", "Range: bytes=-1")
            equal((answer.status, answer.body), (206, data[-1:]))
        accepted(server, "GET /sized HTTP/1.1\r\nHost: x\r\n\r\n")


@case("9110 15.6: when a small file cannot be read, nothing wrong is sent and nobody is kept waiting")
def _(_):
    # A pread() of the first byte fails. Another way to send the file may succeed.
    server = Server(under=[failing_read, "0-1"])
    data = content_of(1000)
    (server.root / "bad").write_bytes(data)
    for _ in range(2):
        client = server.client()
        client.send("GET /bad HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            found = client.stream.read()
        except ConnectionResetError:
            found = b""
        client.close()
        head, _, body = found.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200 "):
            assert data.startswith(body), f"not what the file has: {body!r}"
        else:
            assert not head or head.startswith(b"HTTP/1.1 500 "), head
        equal(ask(server, "/absent").status, 404)
    server.stop()


# Conditions (RFC 9110, 13)

def tag(server, target="/ten"):
    return ask(server, target)["ETag"]


def date(server, seconds=0):
    return formatdate(int((server.root / "ten").stat().st_mtime) + seconds, usegmt=True)


@case("9110 13.1.1: If-Match")
def _(server):
    equal(ask(server, "/ten", f"If-Match: {tag(server)}").status, 200)
    equal(ask(server, "/ten", "If-Match: *").status, 200)
    equal(ask(server, "/ten", 'If-Match: "other"').status, 412)
    equal(ask(server, "/ten", f'If-Match: "a,b", {tag(server)}').status, 200)
    equal(ask(server, "/ten", f"If-Match: W/{tag(server)}").status, 412)
    equal(put(server, "/absent", b"x", "If-Match: *").status, 412)
    equal(put(server, "/ten", b"x", 'If-Match: "other"').status, 412)


@case("9110 13.1.2: If-None-Match")
def _(server):
    answer = ask(server, "/ten", f"If-None-Match: {tag(server)}")
    equal((answer.status, answer["ETag"], answer["Content-Length"]), (304, tag(server), None))
    equal(ask(server, "/ten", f"If-None-Match: W/{tag(server)}").status, 304)
    equal(ask(server, "/ten", f'If-None-Match: "x", {tag(server)}').status, 304)
    equal(ask(server, "/ten", f'If-None-Match: "x"', f"If-None-Match: {tag(server)}").status, 304)
    equal(ask(server, "/ten", 'If-None-Match: "x"').status, 200)
    equal(ask(server, "/ten", "If-None-Match: *").status, 304)
    equal(ask(server, "/ten", f"If-None-Match: {tag(server)}", method="HEAD").status, 304)


@case("9110 13.1.2: PUT with If-None-Match: * makes a file, and replaces none")
def _(server):
    equal(put(server, "/once", b"one", "If-None-Match: *").status, 201)
    equal(put(server, "/once", b"two", "If-None-Match: *").status, 412)
    equal((server.root / "once").read_bytes(), b"one")


@case("9110 13.1.3: If-Modified-Since")
def _(server):
    equal(ask(server, "/ten", f"If-Modified-Since: {date(server)}").status, 304)
    equal(ask(server, "/ten", f"If-Modified-Since: {date(server, 60)}").status, 304)
    equal(ask(server, "/ten", f"If-Modified-Since: {date(server, -1)}").status, 200)
    equal(ask(server, "/ten", "If-Modified-Since: yesterday").status, 200)
    equal(ask(server, "/ten", f"If-Modified-Since: {date(server)}", f"If-Modified-Since: {date(server)}").status, 200)


@case("9110 5.6.7: the three formats of a date")
def _(server):
    then = time.gmtime((server.root / "ten").stat().st_mtime)
    for form in ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]:
        equal(ask(server, "/ten", "If-Modified-Since: " + time.strftime(form, then)).status, 304)


@case("9110 13.1.4: If-Unmodified-Since")
def _(server):
    equal(ask(server, "/ten", f"If-Unmodified-Since: {date(server)}").status, 200)
    equal(ask(server, "/ten", f"If-Unmodified-Since: {date(server, -1)}").status, 412)
    equal(ask(server, "/ten", "If-Unmodified-Since: never").status, 200)
    equal(put(server, "/ten", b"x", f"If-Unmodified-Since: {date(server, -60)}").status, 412)


@case("9110 13.2.2: the order of the conditions")
def _(server):
    old, now = date(server, -60), tag(server)
    equal(ask(server, "/ten", f"If-Match: {now}", f"If-Unmodified-Since: {old}").status, 200)
    equal(ask(server, "/ten", 'If-None-Match: "x"', f"If-Modified-Since: {date(server)}").status, 200)
    equal(ask(server, "/ten", f"If-None-Match: {now}", f"If-Modified-Since: {old}").status, 304)
    equal(ask(server, "/ten", 'If-Match: "x"', f"If-None-Match: {now}").status, 412)
    equal(ask(server, "/ten", f"If-None-Match: {now}", "Range: bytes=0-1").status, 304)


@case("9110 13.1.5: If-Range")
def _(server):
    whole, part = (200, b"0123456789"), (206, b"01")
    for value, expected in [(tag(server), part), ('"x"', whole), ("W/" + tag(server), whole), (date(server), part),
                            (date(server, 1), whole), (date(server, -1), whole), ("nonsense", whole)]:
        answer = ask(server, "/ten", "Range: bytes=0-1", f"If-Range: {value}")
        equal((answer.status, answer.body), expected)
    equal(ask(server, "/ten", f"If-Range: {tag(server)}").status, 200)


# Parts (RFC 9110, 14)

@case("9110 14.2: Range, one part")
def _(server):
    for value, span, body in [("0-0", "0-0", b"0"), ("2-4", "2-4", b"234"), ("4-", "4-9", b"456789"), ("-3", "7-9", b"789"),
                              ("5-99", "5-9", b"56789"), ("-99", "0-9", b"0123456789"), ("9-9", "9-9", b"9"),
                              ("3-99999999999999999999999", "3-9", b"3456789")]:
        answer = ask(server, "/ten", f"Range: bytes={value}")
        equal((answer.status, answer["Content-Range"], answer.body), (206, f"bytes {span}/10", body))
        assert answer["ETag"] and answer["Last-Modified"] and answer["Date"]


@case("9110 15.5.17: a part that is not there is 416")
def _(server):
    for target, value, size in [("/ten", "10-", 10), ("/ten", "-0", 10), ("/ten", "99-100", 10), ("/empty", "0-", 0),
                                ("/ten", "10-11,20-", 10)]:
        answer = ask(server, target, f"Range: bytes={value}")
        equal((answer.status, answer["Content-Range"]), (416, f"bytes */{size}"))


@case("9110 14.2: a Range that is none, or in another unit, is ignored")
def _(server):
    for value in ["bytes=", "bytes=4-2", "bytes=a-b", "bytes=-", "bytes=1", "bytes 1-2", "lines=1-2", "bytes=1-2x", "bytes=0x1-2",
                  "bytes=--1", "bytes=1--2", "bytes=+1-2", "=0-1"]:
        equal(ask(server, "/ten", f"Range: {value}").status, 200)


@case("9110 14.2: HEAD knows no Range")
def _(server):
    answer = ask(server, "/ten", "Range: bytes=2-4", method="HEAD")
    equal((answer.status, answer["Content-Length"]), (200, "10"))


@case("9110 14.6: several parts")
def _(server):
    answer = ask(server, "/ten", "Range: bytes=0-1, 4-5 ,-1")
    equal((answer.status, answer["Content-Range"]), (206, None))
    boundary = re.fullmatch(r"multipart/byteranges; boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})", answer["Content-Type"])[1]
    parts = answer.body.split(b"--" + boundary.encode())
    equal(parts[0], b"")
    equal(parts[-1], b"--\r\n")
    found = []
    for part in parts[1:-1]:
        head, body = part.split(b"\r\n\r\n", 1)
        found.append((re.search(rb"Content-Range: ([^\r]*)", head)[1], body))
    equal(found, [(b"bytes 0-1/10", b"01\r\n"), (b"bytes 4-5/10", b"45\r\n"), (b"bytes 9-9/10", b"9\r\n")])
    equal(ask(server, "/ten", "Range: bytes=0-1,20-").status, 206)


@case("9110 14.2: very many parts, or more than the file, are not served as such")
def _(server):
    equal(ask(server, "/ten", "Range: bytes=0-,0-,0-").status, 200)
    equal(ask(server, "/ten", "Range: bytes=" + ",".join(["0-0"] * 1000)).status, 200)


@case("9110 14.3: Accept-Ranges")
def _(server):
    equal(ask(server, "/ten")["Accept-Ranges"], "bytes")


# Targets (RFC 3986)

@case("3986 2.1: escapes")
def _(server):
    equal(ask(server, "/sub/a%20b?query").body, b"spaces\n")
    equal(ask(server, "/x%25y").body, b"percent\n")
    equal(ask(server, "/%68ello").body, b"hello there\n")
    equal(ask(server, "/comma%2cname").body, b"comma\n")
    for target in ["/%", "/%4", "/%zz", "/hello%00", "/%00", "/hello#x"]:
        equal(ask(server, target).status, 400)


@case("3986 5.2.4: dot segments, which do not lead out")
def _(server):
    for target in ["/sub/../hello", "/./hello", "/sub/%2e%2E/hello", "/none/../hello", "//hello", "/sub//..//hello"]:
        equal(ask(server, target).body, b"hello there\n")
    equal(ask(server, "/sub/..").body, b"<p>home\n")
    for target in ["/../secret", "/sub/../../secret", "/%2e%2e/secret", "/sub/%2E./../secret", "/..", "/./..", "http://x/../secret"]:
        equal(ask(server, target).status, 400)


@case("3986 2.2: an escaped slash is no separator")
def _(server):
    for target in ["/sub%2fa%20b", "/..%2fsecret", f"/%2f{server.root.parent}/secret", f"//{server.root.parent}/secret"]:
        equal(ask(server, target).status, 404)


@case("9110 17.3: a symbolic link is not served, nor is what is being uploaded")
def _(server):
    equal(ask(server, "/link").status, 404)
    client = server.client()
    client.send("PUT /hidden HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    equal(client.answer().status, 100)
    (name,) = [p.name for p in server.root.glob(".proa-upload-*")]
    equal(ask(server, "/" + name).status, 404)
    equal(put(server, "/" + name, b"x").status, 404)
    client.send("abc")
    equal(client.answer().status, 201)


def main():
    failed = 0
    server = Server("--writable", "--idle", "20")
    for number, (name, function) in enumerate(cases, 1):
        try:
            function(server)
            print(f"ok {number} - http: {backend}: {name}", flush=True)
        except Exception as error:  # whatever it is, the next case runs
            failed += 1
            line = error.__traceback__
            while line.tb_next and line.tb_next.tb_frame.f_code.co_filename == __file__:
                line = line.tb_next
            print(f"not ok {number} - http: {backend}: {name}\n# line {line.tb_lineno}: {type(error).__name__}: {error}", flush=True)
    number = len(cases) + 1
    try:
        server.stop()
        print(f"ok {number} - http: {backend}: ends well, and leaves no upload behind")
    except Exception as error:
        failed += 1
        print(f"not ok {number} - http: {backend}: ends well, and leaves no upload behind\n# {error}")
    print(f"1..{number}")
    sys.exit(failed > 0)


main()
