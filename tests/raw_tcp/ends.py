"""A TCP end made by hand: what it has said, heard and been told, and the packets
that it may send. When it sends what is for others to decide."""

from internet import Wrong
from packets import ACK, FIN, MOD, PSH, RST, SYN, URG, Packet, since


class End:
    """One end of a connection. Offsets count from the first byte of data, so that
    an end's FIN is at the length of its stream."""

    def __init__(self, name, addr, port, peer, isn, traits):
        self.name, self.addr, self.port = name, addr, port
        self.peer_addr, self.peer_port = peer
        self.isn = isn
        self.traits = traits
        # What is sent.
        self.data = bytearray()
        self.closed = False
        self.una = self.nxt = self.top = 0
        self.edge = 0
        self.mss = 536
        self.sacked = []
        self.peer_fin_acked = False
        # What is received.
        self.peer_isn = None
        self.got = bytearray()
        self.early = {}
        self.fin_at = None
        self.heard_fin = False
        # What the program has room for, and how far it was promised to the other.
        self.room = traits.window
        self.promised = 0
        self.duplicate = None
        self.must_ack = False
        self.reset = False
        self.ip_id = isn & 0xFFFF
        self.clock = isn >> 3 & 0xFFFF
        self.peer_stamp = 0
        self.peer_sacks = self.peer_stamps = False
        self.peer_scale = 0

    # Numbers.

    def seq(self, offset):
        return (self.isn + 1 + offset) % MOD

    def end(self):
        """Offset behind all that this end has to say, FIN included, so far."""
        return len(self.data) + self.closed

    def heard(self):
        """Offset of the next byte expected, a FIN counted."""
        return len(self.got) + self.heard_fin

    def unacked(self):
        return self.una < self.top

    # Packets.

    def header(self, flags, seq):
        self.ip_id = (self.ip_id + 1) & 0xFFFF
        self.clock += 1
        packet = Packet(
            src=self.addr, dst=self.peer_addr, sport=self.port, dport=self.peer_port,
            ip_id=self.ip_id, flags=flags, seq=seq, window=min(self.window(), 0xFFFF),
        )
        if self.traits.stamps and (self.peer_stamps or flags & SYN):
            packet.stamps = (self.clock, self.peer_stamp)
        if flags & ACK:
            packet.ack = (self.peer_isn + 1 + self.heard()) % MOD
            if not flags & SYN and self.traits.sacks and self.peer_sacks:
                packet.sacks = self.blocks()
        return packet

    def syn(self):
        flags = SYN if self.peer_isn is None else SYN | ACK
        packet = self.header(flags, self.isn)
        packet.mss, packet.scale = self.traits.mss, 0
        packet.sack_ok = self.traits.sacks
        return packet

    def window(self):
        """What may come: the right edge never goes back."""
        self.promised = max(self.promised, self.heard() + self.room)
        return self.promised - self.heard()

    def blocks(self):
        """The SACK blocks that this end can give (RFC 2018, RFC 2883)."""
        runs = []
        for at in sorted(self.early):
            if runs and runs[-1][1] == at:
                runs[-1][1] = at + 1
            else:
                runs.append([at, at + 1])
        first = self.peer_isn + 1
        # The one that came last is first.
        last = self.traits.last_early
        runs.sort(key=lambda r: not r[0] <= last < r[1])
        blocks = [((first + s) % MOD, (first + e) % MOD) for s, e in runs]
        if self.duplicate and self.traits.duplicate_sacks:
            blocks.insert(0, tuple((first + x) % MOD for x in self.duplicate))
        return blocks[:3 if self.traits.stamps else 4]

    def bare(self, offset=None):
        """A bare acknowledgement."""
        offset = self.nxt if offset is None else offset
        packet = self.header(ACK, self.seq(offset))
        self.duplicate = None
        self.must_ack = False
        return packet

    def segment(self, start, length, flags=PSH | ACK):
        """A segment with the bytes from `start` on, and the FIN if it reaches it."""
        stop = start + length
        payload = bytes(self.data[start:stop])
        if self.closed and stop > len(self.data):
            flags |= FIN
        packet = self.header(flags, self.seq(start))
        packet.payload = payload
        self.nxt = max(self.nxt, stop)
        self.top = max(self.top, stop)
        self.duplicate = None
        self.must_ack = False
        return packet

    def urgent(self, start, length, points_at):
        packet = self.segment(start, length, PSH | ACK | URG)
        packet.urgent = points_at - start
        return packet

    def rst(self):
        packet = self.header(RST | ACK, self.seq(self.nxt))
        packet.sacks = []
        return packet

    # What comes.

    def receive(self, packet):
        """Takes in a packet that the gateway has let by."""
        if packet.flags & SYN:
            self.shake(packet)
            return
        if packet.flags & RST:
            # RFC 5961, 3.2: exactly the next number, or it is ignored.
            if since(packet.seq, self.peer_isn + 1 + self.heard()) == 0:
                self.reset = True
            return
        if packet.stamps:
            self.peer_stamp = packet.stamps[0]
        self.acknowledged(packet)
        self.taken(packet)

    def shake(self, packet):
        if self.peer_isn is not None and self.peer_isn != packet.seq:
            raise Wrong("another initial number in a SYN that was sent again")
        self.peer_isn = packet.seq
        self.peer_sacks, self.peer_stamps = packet.sack_ok, packet.stamps is not None
        if packet.stamps:
            self.peer_stamp = packet.stamps[0]
        self.mss = packet.mss
        self.edge = packet.window

    def acknowledged(self, packet):
        ack = since(packet.ack, self.isn + 1)
        if ack > self.top:
            raise Wrong(f"{self.name} is told that {ack} was received, and sent only {self.top}")
        if ack >= self.una:
            self.una = ack
            self.nxt = max(self.nxt, ack)
            self.edge = max(self.edge, ack + packet.window)
            self.sacked = [(s, e) for s, e in self.sacked if e > ack]
        if packet.sacks and not self.traits.sacks:
            raise Wrong("SACK blocks without having been asked for")
        for start, end in packet.sacks:
            start, end = since(start, self.isn + 1), since(end, self.isn + 1)
            if not start < end:
                raise Wrong(f"an empty SACK block {start}-{end}")
            if end > self.top:
                raise Wrong(f"{self.name}: the SACK block {start}-{end} ends beyond {self.top}")
            if start >= self.una:
                self.sacked.append((start, end))

    def taken(self, packet):
        """The payload and the FIN."""
        at = since(packet.seq, self.peer_isn + 1)
        fin = bool(packet.flags & FIN)
        length = len(packet.payload) + fin
        if not length:
            # RFC 9293, 3.10.7.4: what isn't acceptable is answered.
            self.must_ack |= at < self.heard()
            return
        self.must_ack = True
        heard = self.heard()
        if at + length <= heard:
            self.duplicate = (at, at + length)
            return
        edge = self.promised
        for n, byte in enumerate(packet.payload, at):
            if n < heard or n >= edge:
                continue
            if n in self.early and self.early[n] != byte:
                raise Wrong(f"{self.name} got two different bytes at {n}")
            self.early[n] = byte
            self.traits.last_early = n
        if fin and at + length - 1 <= edge:
            where = at + length - 1
            if self.fin_at not in (None, where):
                raise Wrong(f"{self.name} was told of an end at {self.fin_at} and at {where}")
            self.fin_at = where
        while len(self.got) in self.early:
            self.got.append(self.early.pop(len(self.got)))
        if self.fin_at == len(self.got):
            self.heard_fin = True


class Traits:
    """What kind of a TCP an end is."""

    def __init__(self, rng):
        self.mss = rng.choice((88, 152, 300, 600, 1000, 1460))
        self.sacks = rng.random() < 0.75
        self.duplicate_sacks = rng.random() < 0.5
        self.stamps = rng.random() < 0.5
        self.tight = rng.random() < 0.3
        self.window = rng.choice((60, 200, 600, 4000, 60000))
        self.nagle = rng.random() < 0.3
        # Repeats what was selectively acknowledged, or believes in it.
        self.believes_sacks = self.sacks and rng.random() < 0.7
        self.last_early = -1
