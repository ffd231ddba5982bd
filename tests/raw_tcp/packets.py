"""TCP by hand: making packets, and judging what comes out of a gateway."""

import struct

import internet
from internet import ETHERNET, TCP, Wrong, ones_sum

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

MOD = 1 << 32

# struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
VNET = struct.Struct("<BBHHHH")
VNET_NEEDS_CSUM = 1
# By the length of an address.
GSO = {4: 1, 16: 4}


def since(a, b):
    """a - b as a signed difference of sequence numbers."""
    d = (a - b) % MOD
    return d - MOD if d >= MOD // 2 else d


class Packet:
    """A TCP packet. `ip_id` is its identification or, with IPv6, its flow label."""

    __slots__ = (
        "src", "dst", "sport", "dport", "seq", "ack", "flags", "window", "urgent",
        "mss", "scale", "sack_ok", "stamps", "sacks", "payload", "ip_id", "gso_size",
    )

    def __init__(self, **given):
        self.seq = self.ack = self.flags = self.window = self.urgent = self.gso_size = 0
        self.mss = self.scale = self.stamps = None
        self.sack_ok = False
        self.sacks = []
        self.payload = b""
        for name, value in given.items():
            setattr(self, name, value)

    def options(self):
        """The options' bytes, padded."""
        out = b""
        if self.mss is not None:
            out += struct.pack(">BBH", 2, 4, self.mss)
        if self.sack_ok:
            out += b"\x04\x02"
        if self.scale is not None:
            out += struct.pack(">BBB", 3, 3, self.scale)
        if self.stamps is not None:
            # Aligned as Linux has it, or not: both are legal.
            if not out and self.ip_id & 1:
                out += b"\x01\x01"
            out += struct.pack(">BBII", 8, 10, *self.stamps)
        if self.sacks:
            if self.ip_id & 2:
                out += b"\x01\x01"
            room = 40 - len(out) - 2
            blocks = self.sacks[: room // 8]
            out += struct.pack(">BB", 5, 2 + 8 * len(blocks))
            for start, end in blocks:
                out += struct.pack(">II", start % MOD, end % MOD)
        return out + b"\x01" * (-len(out) % 4)

    def frame(self, ethernet):
        """The frame behind a virtio_net_hdr, with right checksums."""
        options = self.options()
        offset = (20 + len(options)) // 4
        tcp = struct.pack(
            ">HHIIBBHHH", self.sport, self.dport, self.seq % MOD, self.ack % MOD,
            offset << 4, self.flags, self.window, 0, self.urgent,
        ) + options + self.payload
        pseudo = internet.pseudo(self.src, self.dst, TCP, len(tcp))
        ip = internet.header(self.src, self.dst, TCP, len(tcp), self.ip_id)
        merged = self.gso_size and len(self.payload) > self.gso_size
        if merged:
            # What is left to a device: the sum of the pseudo-header.
            check = ones_sum(pseudo)
            before = ETHERNET + len(ip)
            vnet = VNET.pack(VNET_NEEDS_CSUM, GSO[len(self.src)], before + 4 * offset,
                             self.gso_size, before, 16)
        else:
            check = ~ones_sum(pseudo + tcp) & 0xFFFF
            vnet = bytes(VNET.size)
        tcp = tcp[:16] + struct.pack(">H", check) + tcp[18:]
        return vnet + ethernet + ip + tcp


def parse(data, mtu):
    """The TCP packet in a received frame, or None for another one. What no
    gateway may send, whatever it is told, is Wrong."""
    flags, _, _, gso_size, _, _ = VNET.unpack_from(data)
    read = internet.parse(data[VNET.size:], TCP)
    if read is None:
        return None
    src, dst, ip_id, size, tcp = read
    if not gso_size and size + len(tcp) > mtu:
        raise Wrong(f"a packet of {size + len(tcp)} bytes where {mtu} are allowed")
    if len(tcp) < 20:
        raise Wrong("less than a TCP header")
    offset = tcp[12] >> 4 << 2
    pseudo = internet.pseudo(src, dst, TCP, len(tcp))
    if flags & VNET_NEEDS_CSUM:
        if struct.unpack_from(">H", tcp, 16)[0] != ones_sum(pseudo):
            raise Wrong("the pseudo-header's sum is wrong")
    elif ones_sum(pseudo + tcp) != 0xFFFF:
        raise Wrong("a wrong TCP checksum")
    sport, dport, seq, ack, _, flags, window, _, urgent = struct.unpack_from(">HHIIBBHHH", tcp)
    packet = Packet(
        src=src, dst=dst, sport=sport, dport=dport, seq=seq, ack=ack, flags=flags,
        window=window, urgent=urgent, payload=bytes(tcp[offset:]),
        ip_id=ip_id, gso_size=gso_size,
    )
    read_options(packet, tcp[20:offset])
    return packet


def read_options(packet, options):
    """Reads TCP options as a careful host does."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or at + size > len(options):
            raise Wrong(f"options that can't be read: {options.hex()}")
        body = options[at + 2:at + size]
        if kind == 2:
            packet.mss = struct.unpack(">H", body)[0]
        elif kind == 3:
            packet.scale = body[0]
        elif kind == 4:
            packet.sack_ok = True
        elif kind == 5:
            if not body or len(body) % 8:
                raise Wrong(f"a SACK option of {size} bytes")
            edges = struct.unpack(f">{len(body) // 4}I", body)
            packet.sacks = list(zip(edges[::2], edges[1::2]))
        elif kind == 8:
            packet.stamps = struct.unpack(">II", body)
        at += size
