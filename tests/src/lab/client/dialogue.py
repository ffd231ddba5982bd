"""A control connection that says what it is told, and goes into TLS and out again.

Each step is one argument: `CODE COMMAND` sends the command (none if it is empty)
and wants a reply with that code. `wrap` and `unwrap` begin and end TLS, `listen
PORT` listens, `receive FILE` accepts there and writes what comes into a file;
`decrypt FILE` does so in TLS, of which it is the client (RFC 4217, section 7).
`open PORT` and `shut PORT` want a port of the server's address to be one or the
other.
"""

import socket
import ssl
import sys

PATIENCE = 15


def in_tls(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


class Dialogue:
    def __init__(self, address, port):
        self.control = socket.create_connection((address, port), PATIENCE)
        self.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener = None

    def line(self):
        # A byte at a time: what stands behind a line may be TLS, or text again.
        line = b""
        while not line.endswith(b"\n"):
            byte = self.control.recv(1)
            if not byte:
                sys.exit(f"the server closed the connection after {line}")
            line += byte
        print(line, flush=True)
        return line.decode()

    def reply(self):
        line = self.line()
        if line[3] == "-":
            end = line[:3] + " "
            while not line.startswith(end):
                line = self.line()
        return line[:3]

    def say(self, code, command):
        if command:
            print(command, flush=True)
            self.control.sendall(command.encode() + b"\r\n")
        got = self.reply()
        if got != code:
            sys.exit(f"{command!r} was answered {got} and not {code}")

    def step(self, step):
        verb, _, rest = step.partition(" ")
        if verb == "wrap":
            self.control = in_tls(self.control)
        elif verb == "unwrap":
            self.control = self.control.unwrap()
            self.control.settimeout(PATIENCE)
        elif verb == "listen":
            here = self.control.getsockname()[0]
            self.listener = socket.create_server((here, int(rest)))
            self.listener.settimeout(PATIENCE)
        elif verb in ("receive", "decrypt"):
            data, _ = self.listener.accept()
            data.settimeout(PATIENCE)
            if verb == "decrypt":
                data = in_tls(data)
            with data, open(rest, "wb") as file:
                while part := data.recv(65536):
                    file.write(part)
            self.listener.close()
        elif verb in ("open", "shut"):
            there = self.control.getpeername()[0], int(rest)
            try:
                socket.create_connection(there, PATIENCE).close()
                found = "open"
            except ConnectionRefusedError:
                found = "shut"
            if found != verb:
                sys.exit(f"{there} is {found}")
        else:
            self.say(verb, rest)


dialogue = Dialogue(sys.argv[1], int(sys.argv[2]))
for step in sys.argv[3:]:
    dialogue.step(step)
