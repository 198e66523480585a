#!/usr/bin/env python3
"""In place of nginx or knotd, as `compare protocols` starts them: servers that answer wrong, in one way.

What is wrong stands in the environment variables WRONG_HTTP and WRONG_DNS. The first client gets right answers only.
"""
import itertools
import os
import re
import socket
import struct
import sys
import threading

PROGRAM = os.path.basename(sys.argv[0])
WRONG = os.environ["WRONG_HTTP" if PROGRAM == "nginx" else "WRONG_DNS"]
RIGHT_ANSWERS = 0 if WRONG == "content" else 3  # to a client; only the content of the first is compared


def serve_http(connection, number, root):
    for count in itertools.count():
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
        with open(os.path.join(root, request.split()[1].decode().lstrip("/")), "rb") as file:
            body = bytearray(file.read())
        status, length = 200, len(body)
        if number > 1 and count >= RIGHT_ANSWERS:  # nobody asks on 0: it only finds out that the server is there
            if WRONG == "content":
                body[-1] ^= 1
            elif WRONG == "status":
                status = 404
            elif WRONG == "length":
                length -= 1
                body.pop()
            elif WRONG == "more":
                body += b"x"
        connection.sendall(b"HTTP/1.1 %d Whatever\r\ncontent-length: %d\r\n\r\n" % (status, length) + body)


def run_http(text):
    port = int(re.search(r"listen 127\.0\.0\.1:(\d+);", text)[1])
    root = re.search(r"root (\S+);", text)[1]
    listener = socket.create_server(("127.0.0.1", port))
    for number in itertools.count():
        threading.Thread(target=serve_http, args=(listener.accept()[0], number, root), daemon=True).start()


def answer_queries(server):
    answers = {}  # by client
    while True:
        query, client = server.recvfrom(512)
        is_first = client in itertools.islice(answers or [client], 1)
        answers[client] = answers.get(client, 0) + 1
        number = int(query[17:17 + query[12] - 4])
        identity, code, address = query[:2], 0, bytes([10, 0, number >> 8, number & 255])
        if not is_first and answers[client] > RIGHT_ANSWERS:
            if WRONG == "address":
                address = bytes([10, 0, 0, 255])
            elif WRONG == "code":
                code = 3
            elif WRONG == "identity":
                identity = bytes([identity[0], identity[1] ^ 1])
            elif WRONG == "end":
                address = address[:3]
        head = identity + struct.pack("!BBHHHH", 0x84, code, 1, 1, 0, 0)
        server.sendto(head + query[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + address, client)


def run_dns(text):
    port = int(re.search(r"listen: 127\.0\.0\.1@(\d+)", text)[1])
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)):  # compare waits for it
        answer_queries(server)


if sys.argv[1] == "-v":
    print("nginx version: nginx/0.0", file=sys.stderr)
elif sys.argv[1] == "-V":
    print("knotd (Knot DNS), version 0.0")
else:
    with open(sys.argv[-1], encoding="utf-8") as configuration:
        (run_http if PROGRAM == "nginx" else run_dns)(configuration.read())
