"""A host of a test, told what to do line by line; each line has one answer.

`host.py serve` answers TCP on port 9000 and UDP on 9001 with what it gets, until its input ends. Otherwise a client:
  wait 0 SECONDS   how long to wait for what follows                ok
  open PORT        connects from that port of its own               ok | no
  say PORT TEXT    sends over the connection, and waits for echo    ok | no
  udp PORT TEXT    sends a datagram from that port, waits for echo  ok | no
  hear PORT        waits for the next datagram to that port         TEXT | no
  close PORT       closes the connection                            ok
"""
import socket
import sys
import threading


def echo(connection):
    while data := connection.recv(2048):
        connection.sendall(data)
    connection.close()


def serve(address):
    tcp = socket.create_server((address, 9000))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, 9001))

    def datagrams():
        while True:
            data, sender = udp.recvfrom(2048)
            udp.sendto(data, sender)

    def connections():
        while True:
            connection, _ = tcp.accept()
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    for task in (datagrams, connections):
        threading.Thread(target=task, daemon=True).start()
    print("ok", flush=True)
    sys.stdin.read()


def made(kind, port):
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", port))
    return made


def client(server):
    streams, datagrams, patience = {}, {}, 5.0

    def obey(verb, port, text):
        nonlocal patience
        if verb == "wait":
            patience = float(text)
        elif verb == "open":
            stream = made(socket.SOCK_STREAM, port)
            stream.settimeout(patience)
            stream.connect((server, 9000))
            streams[port] = stream
        elif verb == "say":
            stream = streams[port]
            stream.settimeout(patience)
            stream.sendall(text)
            got = b""
            while len(got) < len(text):
                got += stream.recv(2048)
        elif verb == "close":
            streams.pop(port).close()
        elif verb == "udp":
            if port not in datagrams:
                datagrams[port] = made(socket.SOCK_DGRAM, port)
            datagrams[port].settimeout(patience)
            datagrams[port].sendto(text, (server, 9001))
            while datagrams[port].recv(2048) != text:
                pass
        elif verb == "hear":
            datagrams[port].settimeout(patience)
            return datagrams[port].recv(2048).decode()
        return "ok"

    for line in sys.stdin:
        verb, port, *text = line.split(maxsplit=2)
        try:
            answer = obey(verb, int(port), "".join(text).strip().encode())
        except OSError:
            answer = "no"
        print(answer, flush=True)


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    client(sys.argv[1])
