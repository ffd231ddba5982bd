"""The gateway between two packet sockets: a packet goes in, and what becomes of it
comes out. Nothing waits for a time: a datagram behind the packet shows that it
has been through, or will never be."""

import ctypes
import os
import select
import socket
import struct

import internet
import packets
from internet import UDP, Wrong, ip, ones_sum
from packets import VNET

CLONE_NEWNET = 0x40000000
SOL_PACKET = 263
PACKET_VNET_HDR = 15
SO_RCVBUFFORCE = 33

INSIDE, OUTSIDE = 0, 1


def enter(namespace):
    """Makes the sockets that follow those of a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(namespace, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(fd)


def wire(namespace, interface, protocol):
    """A packet socket at an interface, and its hardware address."""
    enter(namespace)
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    # One protocol: a socket for all of them would get what it sends, too.
    s.bind((interface, protocol))
    s.setblocking(False)
    return s, s.getsockname()[4]


class Gateway:
    """Two wires and the gateway between them."""

    # A datagram's ends: of no other use.
    MARK = 40000

    def __init__(self, ends, gateway_macs, mark_hosts, mtu):
        # One processor: what is sent one after the other is handled so.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        protocol = internet.ethertype(mark_hosts[INSIDE])
        self.sockets, macs = zip(*(wire(*end, protocol) for end in ends))
        ethernet = struct.pack(">H", protocol)
        self.ethernet = [to + own + ethernet for to, own in zip(gateway_macs, macs)]
        self.mtu = mtu
        self.marks = 0
        self.mark_hosts = [ip(h) for h in mark_hosts]
        self.return_port = None
        self.came = [[], []]
        self.sent = 0
        # Opens the way back for marks.
        self.mark(INSIDE)

    def read(self, side):
        """Takes in what has come; the number of the last mark."""
        mark = None
        while True:
            try:
                data = self.sockets[side].recv(1 << 17)
            except BlockingIOError:
                return mark
            packet = packets.parse(data, self.mtu)
            if packet is not None:
                self.came[side].append(packet)
                continue
            datagram = internet.parse(data[VNET.size:], UDP)
            if datagram is not None:
                src, _, _, _, udp = datagram
                sport, dport = struct.unpack_from(">HH", udp)
                if self.MARK in (sport, dport):
                    mark = struct.unpack_from(">I", udp, 8)[0]
                    if side == OUTSIDE:
                        self.return_port = (src, sport)

    def mark(self, side):
        """Sends a mark in at a side and waits until it comes out at the other."""
        self.marks += 1
        if side == INSIDE:
            src, sport = self.mark_hosts[INSIDE], self.MARK - 1
            dst, dport = self.mark_hosts[OUTSIDE], self.MARK
        else:
            src, sport = self.mark_hosts[OUTSIDE], self.MARK
            dst, dport = self.return_port
        udp = struct.pack(">HHHHI", sport, dport, 12, 0, self.marks)
        check = ~ones_sum(internet.pseudo(src, dst, UDP, len(udp)) + udp) & 0xFFFF or 0xFFFF
        udp = udp[:6] + struct.pack(">H", check) + udp[8:]
        header = internet.header(src, dst, UDP, len(udp), 0)
        self.sockets[side].send(bytes(VNET.size) + self.ethernet[side] + header + udp)
        other = 1 - side
        for _ in range(200):
            if self.read(other) == self.marks:
                return
            select.select([self.sockets[other]], [], [], 0.05)
        raise Wrong("a datagram doesn't come through the gateway any more")

    def through(self, side, packet):
        """Sends a packet in at a side; what came out at the other one."""
        self.sent += 1
        other = 1 - side
        self.sockets[side].send(packet.frame(self.ethernet[side]))
        self.read(other)
        if not self.came[other]:
            self.mark(side)
        came, self.came[other] = self.came[other], []
        self.read(side)
        if self.came[side]:
            back, self.came[side] = self.came[side], []
            raise Wrong(f"the gateway itself sent something back: flags {back[0].flags:#x}")
        return came
