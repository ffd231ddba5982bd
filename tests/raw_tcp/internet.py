"""IPv4 and IPv6 by hand: the headers before TCP and UDP, and what is true of any."""

import array
import socket
import struct

ETHERNET = 14
TCP, UDP = 6, 17
HOPS = 64


class Wrong(Exception):
    """The gateway did something that it must not do."""


def ones_sum(data):
    """The ones' complement sum of 16-bit words (RFC 1071), not inverted."""
    if len(data) & 1:
        data += b"\0"
    total = sum(array.array("H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    # array uses the machine's order; the sum doesn't mind but for a swap.
    return struct.unpack(">H", struct.pack("=H", total))[0]


def is_v6(text):
    """Whether an address as people write it is one of IPv6."""
    return ":" in text


def ip(text):
    """The bytes of an address: four or sixteen."""
    return socket.inet_pton(socket.AF_INET6 if is_v6(text) else socket.AF_INET, text)


def ethertype(text):
    """The protocol number that announces an address's family in a frame."""
    return 0x86DD if is_v6(text) else 0x0800


def pseudo(src, dst, protocol, length):
    """What a transport's checksum also covers (RFC 9293, 3.1; RFC 8200, 8.1)."""
    numbers = (0, protocol, length) if len(src) == 4 else (length, 0, protocol)
    return src + dst + struct.pack(">BBH" if len(src) == 4 else ">IHH", *numbers)


def header(src, dst, protocol, length, mark):
    """The IP header before `length` bytes. `mark` is a number of sixteen bits that
    stays the packet's own: the identification, or the flow label."""
    if len(src) == 16:
        return struct.pack(">IHBB", 6 << 28 | mark, length, protocol, HOPS) + src + dst
    bare = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, mark, 0x4000, HOPS, protocol, 0)
    bare += src + dst
    return bare[:10] + struct.pack(">H", ~ones_sum(bare) & 0xFFFF) + bare[12:]


def parse(frame, protocol):
    """(src, dst, mark, header length, bytes behind it) of a frame; None where it is of
    another protocol. What is wrong in any case is Wrong."""
    data = frame[ETHERNET:]
    family = frame[ETHERNET - 2:ETHERNET]
    if family == b"\x08\x00" and len(data) >= 20 and data[0] == 0x45 and data[9] == protocol:
        size, total = 20, struct.unpack_from(">H", data, 2)[0]
        if ones_sum(data[:20]) != 0xFFFF:
            raise Wrong("a wrong IP checksum")
        src, dst, mark = data[12:16], data[16:20], struct.unpack_from(">H", data, 4)[0]
    elif family == b"\x86\xdd" and len(data) >= 40 and data[6] == protocol:
        size, total = 40, 40 + struct.unpack_from(">H", data, 4)[0]
        src, dst = data[8:24], data[24:40]
        mark = struct.unpack_from(">I", data)[0] & 0xFFFFF
        if data[0] >> 4 != 6:
            raise Wrong("another version of IP")
    else:
        return None
    if len(data) < total:
        raise Wrong(f"the IP length is {total}, the packet has {len(data)} bytes")
    if any(data[total:]):
        raise Wrong("padding that isn't zero")
    hops = data[8] if size == 20 else data[7]
    if hops != HOPS - 1 and protocol == TCP:
        raise Wrong(f"{hops} hops are left of {HOPS}")
    return src, dst, mark, size, data[size:total]
