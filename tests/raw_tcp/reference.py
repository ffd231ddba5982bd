"""What must become of a control stream, from its whole text, and what an
acknowledgement then means. Nothing here knows how the gateway works."""

import ipaddress
import re

from internet import Wrong

OCTET = rb"\d{1,3}"
SIX = re.compile(rb",".join([rb"(\d{1,3})"] * 6))
PORT = re.compile(rb"PORT[ \t]+(" + rb",".join([OCTET] * 6) + rb")(?=[ \t\r\n\0])", re.I)
EPRT = re.compile(
    rb"EPRT[ \t]+([!-/:-~])1\1((?:" + OCTET + rb"\.){3}" + OCTET + rb")\1(\d{1,5})\1", re.I
)
EPRT6 = re.compile(rb"EPRT[ \t]+([!-/;-~])2\1([\da-f:]+)\1(\d{1,5})\1", re.I)
R227 = re.compile(rb"227[ \t](.*?)(?<![\d,])(" + rb",".join([OCTET] * 6) + rb")(?=[^\d,])", re.S)
R229 = re.compile(rb"229[ \t].*?([!-/:-~])\1\1(\d{1,5})\1", re.S)

IAC = 255


def without_telnet(line):
    """The line as a server reads it, and where each of its bytes stands."""
    text, places, at = bytearray(), [], 0
    while at < len(line):
        if line[at] != IAC or at + 1 >= len(line):
            text.append(line[at])
            places.append(at)
            at += 1
            continue
        command = line[at + 1]
        if command == IAC:
            text.append(IAC)
            places.append(at)
            at += 2
        elif command == 250:
            at = line.index(b"\xff\xf0", at) + 2
        elif command >= 251:
            at += 3
        else:
            at += 2
    return bytes(text), places


def lines_of(stream):
    """The lines with their ends; the last one may have none."""
    return re.findall(rb"[^\n]*\n|[^\n]+$", stream)


def commas(address):
    """An address as PORT and 227 have it."""
    return address.replace(".", ",").encode()


def spelled(text):
    """The address that a text of IPv6 names, as RFC 5952 has it; None for no address."""
    try:
        return ipaddress.IPv6Address(text.decode()).compressed
    except ValueError:
        return None


class Rule:
    """Whose announcements become what: the end's own address, and the one that
    the other end is told."""

    def __init__(self, own, told):
        self.own, self.told = own, told

    def is_own(self, numbers):
        if len(numbers) == 1:
            return spelled(numbers[0]) == self.own
        return ".".join(str(int(n)) for n in numbers) == self.own


def announcement(line, rule, solicited):
    """(start, end, form, port text, telnet bytes within) of an address that must be
    replaced; None where the line stays."""
    text, places = without_telnet(line)
    if solicited is None:
        found = PORT.match(text)
        if found:
            span, numbers = found.span(1), found.group(1).split(b",")
            form = "comma"
        else:
            found = EPRT.match(text) or EPRT6.match(text)
            if not found:
                return None
            span, numbers = (found.start(2), found.end(3)), found.group(2).split(b".")
            form = found.group(1).decode()
    else:
        found = R229.match(text) if solicited else None
        if found and 1024 <= int(found.group(2)) <= 65535:
            start, end = (places[x] for x in found.span(2))
            return start, end, "port", b""
        found = R227.match(text) if solicited else None
        if not found:
            return None
        span, numbers, form = found.span(2), found.group(2).split(b","), "comma"
    values = [int(n) for n in numbers] if len(numbers) > 1 else [0]
    if form == "comma":
        port = values[4] * 256 + values[5]
    else:
        port = int(found.group(3))
    if max(values) > 255 or not 1024 <= port <= 65535 or not rule.is_own(numbers[:4]):
        return None
    start, end = places[span[0]], places[span[1] - 1] + 1
    telnet = bytes(
        b for at, b in enumerate(line[start:end], start) if at not in set(places)
    )
    return start, end, form, telnet


def address_text(got, form, rule):
    """The port that a text announces, at `rule.told` if it names an address; None
    if it does not, or if nobody would write it so."""
    if form == "port":
        port = int(got) if re.fullmatch(rb"[1-9]\d{3,4}", got) else 0
        return port if 1024 <= port <= 65535 else None
    if form == "comma":
        found = re.fullmatch(re.escape(commas(rule.told)) + rb",(\d{1,3}),(\d{1,3})", got)
        if not found:
            return None
        high, low = int(found.group(1)), int(found.group(2))
        canonical = got == commas(rule.told) + f",{high},{low}".encode()
        port = high * 256 + low if max(high, low) < 256 else 0
    else:
        mark = re.escape(form.encode())
        found = re.fullmatch(re.escape(rule.told.encode()) + mark + rb"(\d{1,5})", got)
        if not found:
            return None
        port = int(found.group(1))
        canonical = str(port).encode() == found.group(1)
    return port if canonical and 1024 <= port <= 65535 else None


class Alignment:
    """Which bytes that were received came of which bytes that were sent."""

    def __init__(self):
        # What of the output must be there before a sent byte may be called received.
        self.needs = []
        # Output position of each plain byte; None within a replaced text.
        self.plain = []
        self.edits = 0
        self.longer = 0
        self.out = 0

    def same(self, count):
        for _ in range(count):
            self.needs.append((self.out, self.out + 1))
            self.plain.append(self.out)
            self.out += 1

    def replaced(self, old, new):
        # The replaced text, to its last byte.
        for _ in range(old):
            self.needs.append((self.out, self.out + new))
            self.plain.append(None)
        self.out += new
        self.edits += 1
        self.longer += old != new


def compare(sent, received, rule, solicited=None, may_pass=False):
    """That `received` is what must become of `sent`; their alignment.

    `solicited` tells of each line of a server whether it answers a request for
    a port; None for a client. `may_pass`: an announcement may pass as it is."""
    alignment = Alignment()
    at = 0
    for n, line in enumerate(lines_of(sent)):
        # An announcement is complete at the byte behind it, not at the line's end.
        said = None
        if rule.own != rule.told:
            said = announcement(line, rule, solicited and solicited[n])
        if said is None or (may_pass and received[at:at + len(line)] == line):
            got = received[at:at + len(line)]
            if got != line:
                raise Wrong(f"line {n}: {line!r} became {got!r}")
            alignment.same(len(line))
            at += len(line)
            continue
        start, end, form, telnet = said
        rest = received.find(b"\n", at) + 1 or len(received)
        got = received[at:rest]
        first = verify(line, got, start, end, form, telnet, rule, solicited is not None)
        if first is None:
            raise Wrong(f"line {n}: {line!r} became {got!r}")
        alignment.same(first)
        alignment.replaced(end - first, len(got) - (len(line) - end) - first)
        alignment.same(len(line) - end)
        at = rest
    if at != len(received):
        raise Wrong(f"{len(received) - at} bytes too many: {received[at:at + 60]!r}")
    return alignment


def verify(line, got, start, end, form, telnet, rule, is_reply):
    """Where the replaced text begins, in both; None if `got` is wrong."""
    tail = line[end:]
    if not got.endswith(tail):
        return None
    body = got[:len(got) - len(tail)]
    if telnet:
        if not body.endswith(telnet):
            return None
        body = body[:-len(telnet)]
    same_length = len(got) == len(line)
    if body.startswith(line[:start]) and address_text(body[start:], form, rule) is not None:
        # The digits of a port can make up for some difference.
        room = end - start - len(telnet) - len(rule.told) - 1
        if form == "port":
            room = end - start
        possible = 3 <= room <= 7 if form == "comma" else 4 <= room <= 5
        return None if possible and not same_length else start
    # The free text of a 227 may have given or taken characters before its last one.
    if not is_reply or form != "comma" or not same_length:
        return None
    found = re.search(rb"(?<![\d,])" + re.escape(commas(rule.told)) + rb",\d+,\d+$", body)
    if not found or address_text(body[found.start():], form, rule) is None:
        return None
    free, new = line[4:start], body[4:found.start()]
    if not 13 <= len(free) <= 29 or new[-1:] != free[-1:]:
        return None
    kept, filled = new[:-1], b""
    if len(new) > len(free):
        kept, filled = new[:len(free) - 1], new[len(free) - 1:-1]
    return 4 if free.startswith(kept) and not filled.strip(b" ") else None
