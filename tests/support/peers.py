"""Both ends of what a test sends through the line; each prints what it saw as one line of JSON at the end.

`peers.py serve ADDRESS IFACE` serves one client: a talk of short lines (port 9000), bulk both ways (9001), an attack in two
pieces (9002), and listens on the wire for its last bytes. `peers.py ask ADDRESS LOCAL-SEED` is the client, in this order: it begins the
talk, sends and gets the bulk, tries the attack, and ends the talk.
"""
import hashlib
import json
import random
import socket
import sys
import threading

BULK = 3_000_000
LINES = 200
COMPLETES = b"word that completes"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def everything(connection):
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


def line(connection):
    data = b""
    while not data.endswith(b"\n") and (piece := connection.recv(2048)):
        data += piece
    return data


def server_of(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)


def serve(address, iface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((iface, 0))
    seen = []

    def watch():
        while True:
            if COMPLETES in wire.recv(65536):
                seen.append(True)

    threading.Thread(target=watch, daemon=True).start()
    talk, bulk, attack = (server_of(address, port) for port in (9000, 9001, 9002))
    print("bound", flush=True)
    talking, _ = talk.accept()

    def echo():
        while text := line(talking):
            talking.sendall(text)

    echoing = threading.Thread(target=echo)
    echoing.start()
    loading, _ = bulk.accept()
    got = everything(loading)
    sent = random.Random(2).randbytes(BULK)
    loading.sendall(sent)
    loading.close()
    attacked, _ = attack.accept()
    attacked.settimeout(2)
    before = b""
    try:
        while piece := attacked.recv(2048):
            before += piece
    except OSError:
        pass
    echoing.join()
    print(json.dumps({"got": digest(got), "sent": digest(sent), "attack": before.decode(), "seen": len(seen)}), flush=True)


def ask(address):
    def connect(port):
        return socket.create_connection((address, port), timeout=60)

    talk, lines = connect(9000), random.Random(1)

    def say(count):
        right = 0
        for _ in range(count):
            text = lines.randbytes(lines.randrange(1, 90)).hex().encode() + b"\n"
            talk.sendall(text)
            right += line(talk) == text
        return right

    right = say(LINES // 2)
    bulk = connect(9001)
    sent = random.Random(3).randbytes(BULK)
    bulk.sendall(sent)
    bulk.shutdown(socket.SHUT_WR)
    got = everything(bulk)
    attack = connect(9002)
    attack.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    attack.sendall(b"an evil-")
    right += say(1)
    attack.sendall(COMPLETES)
    right += say(LINES // 2)
    talk.shutdown(socket.SHUT_WR)
    everything(talk)
    print(json.dumps({"got": digest(got), "sent": digest(sent), "right": right}), flush=True)


if sys.argv[1] == "serve":
    serve(*sys.argv[2:])
else:
    ask(sys.argv[2])
