"""What the two programs say to each other."""

import ipaddress

from internet import is_v6
from reference import Rule, commas

# What the helper opens for nobody's client, as it is delivered.
DENIED = {2049, 3306, 3389, 5432, 5900, 6379, *range(6000, 6064)}
NOP = b"\xff\xf1"


def port(rng):
    while True:
        number = rng.choice((rng.randrange(1024, 65536), rng.randrange(1024, 2560)))
        if number not in DENIED:
            return number


def six(rng, address, number):
    """Six numbers, as people and programs write them."""
    numbers = [*map(int, address.split(".")), number >> 8, number & 255]
    if rng.random() < 0.15:
        return ",".join(f"{n:03}" for n in numbers).encode()
    return ",".join(map(str, numbers)).encode()


def with_telnet(rng, text):
    """The text with Telnet sequences in it that a server steps over."""
    sequence = rng.choice((NOP, b"\xff\xfb\x01", b"\xff\xfe\x22"))
    at = rng.randrange(1, len(text))
    return text[:at] + sequence + text[at:]


def eprt(rng, address, number):
    """EPRT, with the address in one of its spellings (RFC 4291, 2.2)."""
    host, delimiters = address, "||!-"
    if is_v6(address):
        family, whole = 2, ipaddress.ip_address(address)
        if rng.random() < 0.4:
            groups = whole.exploded.split(":")
            host = rng.choice((whole.exploded, whole.exploded.upper(), address.upper(),
                               ":".join(f"{int(g, 16):x}" for g in groups)))
    else:
        family, delimiters = 1, delimiters + ":"
        if rng.random() < 0.2:
            host = ".".join(f"{int(n):03}" for n in address.split("."))
    d = rng.choice(delimiters)
    verb = rng.choice(("EPRT ", "EPRT ", "eprt  "))
    return f"{verb}{d}{family}{d}{host}{d}{number}{d}".encode()


def announcing(rng, address):
    """A command that announces."""
    number = port(rng)
    if is_v6(address) or rng.random() < 0.3:
        line = eprt(rng, address, number)
    else:
        verb = rng.choice((b"PORT ", b"PORT ", b"PORT  ", b"port \t", b"PoRt "))
        line = verb + six(rng, address, number)
        line += rng.choice((b"", b"", b" "))
    if rng.random() < 0.1:
        line = with_telnet(rng, line)
    return line + rng.choice((b"\r\n", b"\r\n", b"\n", b"\r\0\n"))


def four(address):
    """The address, or one of IPv4 that is nobody's."""
    return "10.10.0.6" if is_v6(address) else address


def six_harmless(address, number):
    """Commands of an IPv6 connection that announce nothing."""
    return (
        f"PORT {four(address).replace('.', ',')},4,0".encode(),
        f"EPRT |1|{four(address)}|{number}|".encode(),
        f"EPRT |2|{address}%eth0|{number}|".encode(),
        f"EPRT |2|{address}|{number}".encode(),
        f"EPRT |2|{address}|21|".encode(),
        f"EPRT |2|{address}|70000|".encode(),
        f"EPRT |2|:{address}|{number}|".encode(),
        f"EPRT |2|{address}:1:2:3:4:5:6|{number}|".encode(),
        f"EPRT |2|::ffff:{four(address)}|{number}|".encode(),
        f"EPRT |2||{number}|".encode(),
    )


def harmless(rng, address, long_ones):
    """A command that announces nothing, though some look like it."""
    number = port(rng)
    host = commas(four(address))
    line = rng.choice((
        b"NOOP", b"NOOP", b"PWD", b"TYPE I", b"CWD /caf\xc3\xa9", b"CWD a\xff\xffb", b"",
        b"PORT " + host + b",4",
        b"PORT " + host + b",4,0,1",
        b"PORT " + host + b",4,256",
        b"PORT " + host + b",0,21",
        b"PORT 192,0,2,1,4,0",
        b"PORT",
        b"XPORT " + host + b",4,0",
        b"SITE PORT " + host + b",4,0",
        b" PORT " + host + b",4,0",
        b"NOOP\rPORT " + host + b",4,0",
        f"EPRT |1|192.0.2.1|{number}|".encode(),
        f"EPRT |2|2001:db8::1|{number}|".encode(),
        f"EPRT |1|{four(address)}|{number}".encode(),
        b"EPRT |3|" + host + b"|4|",
        *(six_harmless(address, number) if is_v6(address) else ()),
        b"STAT \xff\xf4\xff\xf2",
    ))
    if long_ones and rng.random() < 0.1:
        line = b"SITE " + b"x," * rng.randrange(20, 800)
    return line + rng.choice((b"\r\n", b"\r\n", b"\n"))


def client_lines(rng, site, traits):
    """All that the client will say, as (kind, line)."""
    script = [("other", b"USER anonymous\r\n")]
    for _ in range(rng.randrange(3, 40)):
        draw = rng.random()
        if draw < 0.35:
            script.append(("announce", announcing(rng, site.client)))
        elif draw < (0.4 if is_v6(site.client) else 0.55):
            script.append(("passive", rng.choice((b"PASV\r\n", b"pasv\n", b"P" + NOP + b"ASV\r\n"))))
        elif draw < 0.6:
            script.append(("extended", b"EPSV\r\n"))
        else:
            line = harmless(rng, site.client, traits[0].mss > 200)
            script.append(("other" if line.strip() else "empty", line))
    tail = rng.random()
    if tail < 0.3:
        # It ends in the middle of a line.
        whole = b"PORT " + six(rng, four(site.client), port(rng))
        if is_v6(site.client):
            whole = eprt(rng, site.client, port(rng))
        script.append(("tail", whole[:rng.randrange(1, len(whole) + 1)]))
    elif tail < 0.8:
        script.append(("other", b"QUIT\r\n"))
    return script


def reply(rng, kind, address):
    """A server's reply to a command of a kind: lines, and of which the last may announce."""
    if kind == "empty":
        return [b"500 what?\r\n"]
    if kind in ("passive", "extended") and rng.random() < 0.1:
        return [rng.choice((b"425 no port\r\n", b"502 no such thing\r\n"))]
    if kind == "passive":
        text = six(rng, four(address), port(rng))
        return [rng.choice((
            b"227 Entering Passive Mode (" + text + b").\r\n",
            b"227 Entering Passive Mode (" + text + b")\n",
            b"227 Entering Passive Mode " + text + b"\r\n",
            b"227 =" + text + b"\r\n",
            b"227 (" + text + b")\r\n",
            b"227 Passiver Modus, Adresse 2 (" + text + b")\r\n",
            b"227 Entering Passive Mode. " + b"caf\xc3\xa9 (" + text + b")\r\n",
            b"227 Entering " + NOP + b"Passive Mode (" + text + b").\r\n",
            b"227 Entering Passive Mode (" + with_telnet(rng, text) + b").\r\n",
        ))]
    if kind == "extended":
        d = rng.choice("||!-")
        return [rng.choice((
            b"229 Entering Extended Passive Mode (|||%d|)\r\n",
            b"229 Entering Extended Passive Mode (|||%d|)\n",
            b"229 |||%d|\r\n",
            b"229 Mode 3, || or so: (|||%d|) 2||\r\n",
            b"229 Ent" + NOP + b"ering (||" + NOP + b"|%d|).\r\n",
        )).replace(b"|", d.encode()) % port(rng)]
    text = six(rng, four(address), 20000)
    return rng.choice((
        [b"200 ok\r\n"], [b"200 ok\r\n"], [b"250 done\n"],
        [b"500 Illegal PORT command.\r\n"], [b"502 no such thing\r\n"],
        [b"211-status\r\n", b"227 Entering Passive Mode (" + text + b")\r\n", b"211 end\r\n"],
        [b"230-227 Entering Passive Mode (" + text + b")\r\n", b" 227 (" + text + b")\r\n",
         b"230 welcome\r\n"],
        [b"200 " + b"y," * rng.randrange(1, 300) + b"\r\n"],
    ))


class Talk:
    """The two programs: who may say what by now."""

    def __init__(self, rng, site, script):
        self.rng, self.site, self.script = rng, site, list(script)
        self.rules = [Rule(site.client, site.client_seen), Rule(site.server, site.server_seen)]
        self.depth = rng.choice((1, 1, 3, 8))
        self.said, self.asked = 0, []
        self.replies, self.marks = 0, []
        self.answers = []
        self.greeted = False
        # Servers differ in what they make of an empty line.
        self.answers_empty = rng.random() < 0.5

    def answer(self, server, kind):
        lines = reply(self.rng, kind, self.site.server)
        for line in lines[:-1]:
            self.marks.append(False)
            server.data += line
        self.marks.append(kind in ("passive", "extended"))
        server.data += lines[-1]

    def go_on(self, ends):
        """One of the programs says something; whether one did."""
        client, server = ends
        if server.closed:
            return False
        if not self.greeted:
            self.greeted = True
            server.data += self.rng.choice((b"220 hello\r\n", b"220-hello\r\n220 you\r\n"))
            self.marks += [False] * bytes(server.data).count(b"\n")
            self.greeting = len(self.marks)
            return True
        heard = bytes(server.got).count(b"\n")
        if self.replies < heard:
            kind = self.asked[self.replies]
            self.replies += 1
            if kind != "empty" or self.answers_empty:
                self.answer(server, kind)
            self.answers.append(bytes(server.data).count(b"\n"))
            return True
        if server.heard_fin:
            server.closed = True
            return True
        return self.speak(client)

    def speak(self, client):
        """The client's next command, if it doesn't wait for replies."""
        lines = bytes(client.got).count(b"\n")
        if client.closed or lines < self.greeting:
            return False
        answered = sum(1 for end in self.answers if lines >= end)
        tail = self.said > 0 and self.script[self.said - 1][0] == "tail"
        if self.said - answered >= self.depth and not tail:
            return False
        if self.said == len(self.script):
            client.closed = True
            return True
        kind, line = self.script[self.said]
        self.said += 1
        # A line feed within is a line of its own to the server.
        self.asked.append(kind)
        client.data += line
        return True

    def solicited(self, said):
        """Of each line of the server's: whether it answers a request for a port."""
        return self.marks
