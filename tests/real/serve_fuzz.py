#!/usr/bin/env python3
"""Requests that were mutated, to proa-serve: it answers what it answers in good form, and lives. The inputs are the same
for the same seed. Arguments: folder of the tools, backend, seconds, [seed]."""
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

tools, backend, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
dice = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
patience = 60

get = "GET /file HTTP/1.1\r\nHost: x\r\n"
put = "PUT /put HTTP/1.1\r\nHost: x\r\n"
seeds = [seed.encode("latin-1") for seed in [
    get + "\r\n", get + "Connection: close\r\n\r\n", "HEAD /sub HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    get + "Range: bytes=0-1,4-5,-1\r\n\r\n", get + 'Range: bytes=2-\r\nIf-Range: "x"\r\n\r\n', get + "If-None-Match: *\r\n\r\n",
    get + "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\n\r\n",
    put + "Content-Length: 5\r\n\r\n12345", put + "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    put + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", put + "Content-Length: 100000\r\n\r\n" + "x" * 100000,
    put + "Content-Length: 3\r\nIf-None-Match: *\r\n\r\nabc", "GET http://x/%66ile?q HTTP/1.1\r\nHost: x\r\n\r\n",
    "PUT /sub/../a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "\r\n" + get + "X: a\r\n b\r\n\r\n",
    put + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"]]


def mutated():
    data = bytearray(b"".join(dice.choice(seeds) for _ in range(dice.randint(1, 3))))
    for _ in range(dice.choice([0, 1, 1, 2, 3, 6])):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(7)
        if kind == 0 and at < len(data):
            data[at] = dice.randrange(256)
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 2:
            data[at:at] = bytes([dice.choice(b"\r\n \t\0:;,/%.-0159aA\x80\xff")])
        elif kind == 3:
            del data[at:at + dice.randint(1, 8)]
        elif kind == 4:
            begin = dice.randrange(len(data) or 1)
            data[at:at] = data[begin:begin + dice.randint(1, 64)]
        elif kind == 5:
            other = dice.choice(seeds)
            begin = dice.randrange(len(other))
            data[at:at] = other[begin:begin + dice.randint(1, 32)]
        else:
            data[at:at] = b"a" * dice.choice([1, 100, 10000, 20000])
    return bytes(data)


def talk(port, data, may_go_away=True):
    """Sends it in one piece or several, ends, and returns what came back. Now and then it goes away without reading."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as client:
        try:
            begin = 0
            while begin < len(data):
                end = len(data) if dice.random() < 0.7 else begin + dice.randint(1, len(data))
                client.sendall(data[begin:end])
                begin = end
            if may_go_away and dice.random() < 0.1:
                return b""
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        back = b""
        while True:
            try:
                piece = client.recv(1 << 16)
            except ConnectionError:
                return b""  # a reset may take anything back
            if not piece:
                return back
            back += piece


def check_form(data, back):
    if back:
        assert re.match(rb"HTTP/1\.1 [1-5]\d\d [ -~]+\r\n", back), f"{data!r} was answered with {back[:200]!r}"
    assert b"not for you" not in back, f"{data!r} leads out"


def main():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "site"
        (root / "sub").mkdir(parents=True)
        (root / "file").write_bytes(b"0123456789" * 1000)
        (root.parent / "secret").write_text("not for you")
        with open(root.parent / "errors", "w") as errors:
            server = subprocess.Popen([f"{tools}/proa-serve", "--backend", backend, "--strict", "--listen", "127.0.0.1:0",
                                       "--writable", "--idle", "5", "--access-log", str(root.parent / "log"), str(root)],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
        port = int(re.match(r"listening on 127.0.0.1:(\d+) ", server.stdout.readline())[1])
        problem, count, end = "", 0, time.monotonic() + seconds
        answers = {}
        try:
            while time.monotonic() < end:
                data = mutated()
                back = talk(port, data)
                check_form(data, back)
                answers[back[9:12]] = answers.get(back[9:12], 0) + 1
                count += 1
            back = talk(port, seeds[1], may_go_away=False)
            assert back.endswith(b"0123456789"), f"at the end it answers {back[:200]!r}"
        except (AssertionError, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
        server.send_signal(signal.SIGTERM)
        try:
            if server.wait(timeout=patience) != 0:
                problem += f" exit status {server.returncode}"
        except subprocess.TimeoutExpired:
            server.kill()
            problem += " does not end"
        if (root.parent / "errors").stat().st_size > 0:
            problem += " it complains"
        left = list(root.rglob(".proa-upload-*"))
        if left:
            problem += f" left behind: {left}"
        seen = ", ".join(f"{status.decode() or 'none'} {number}" for status, number in sorted(answers.items()))
        print(f"# {count} inputs; answers: {seen}")
        print(f"{'not ok' if problem else 'ok'} 1 - http: {backend}: mutated requests")
        if problem:
            print("# " + problem.replace("\n", "\n# "))
            print("# " + (root.parent / "errors").read_text().replace("\n", "\n# "))
        print("1..1")
        sys.exit(bool(problem))


main()
