"""A session between two ends with trouble on every stretch of the way, all of it
drawn from one seed; and what must be true of it at every packet and at its end."""

import random

import lines
from ends import End, Traits
from internet import Wrong, ip
from packets import ACK, MOD, RST, SYN, URG, since
from reference import Rule, compare, lines_of

# With so many steps and no end, something was lost for ever.
STEPS = 60_000
# Steps with trouble; then the way is a good one, and all must come to an end.
TROUBLED = 4_000


class Site:
    """Where the ends are, and what each is told of the other."""

    def __init__(self, client_side, client, client_seen, server, server_seen, port):
        self.client_side = client_side
        self.client, self.client_seen = client, client_seen
        self.server, self.server_seen = server, server_seen
        self.port = port

    def side(self, end):
        return self.client_side if end == 0 else 1 - self.client_side


class Flow:
    """What was seen of one direction: of near's packets, and of what far was sent."""

    def __init__(self):
        self.bytes = {}
        self.acks = []
        self.urgent = []
        # The highest acknowledgement of far's that has reached the gateway.
        self.una = 0


class Session:
    """One connection through the gateway."""

    def __init__(self, gateway, site, seed, client_port):
        self.rng = rng = random.Random(seed)
        self.gateway, self.site = gateway, site
        traits = [Traits(rng), Traits(rng)]
        # Some streams cross the end of the number space. A gateway may tell SYNs by
        # their numbers, so no two clients have the same.
        wraps = MOD - 1 - seed * 7 % 2999
        isns = [
            wraps if seed % 6 == 0 else rng.randrange(MOD),
            rng.choice((rng.randrange(MOD), MOD - rng.randrange(1, 3000))),
        ]
        client = End("client", ip(site.client), client_port, (ip(site.server_seen), site.port),
                     isns[0], traits[0])
        server = End("server", ip(site.server), site.port, (ip(site.client_seen), 0),
                     isns[1], traits[1])
        self.ends = [client, server]
        self.flows = [Flow(), Flow()]
        self.before, self.after = [[], []], [[], []]
        self.trace = []
        self.script = lines.client_lines(rng, site, traits)
        self.talk = lines.Talk(rng, site, self.script)
        # How likely which trouble is.
        trouble = lambda: rng.choice((0, 0, 0.02, 0.1, 0.25))
        self.lost_before, self.lost_after = [trouble(), trouble()], [trouble(), trouble()]
        self.doubled = [trouble(), trouble()]
        self.late = [trouble(), trouble()]
        self.again = rng.choice((0, 0, 0.02, 0.1))
        self.step_size = rng.choice((1, 1, 3, 20, 2000))
        self.merging = rng.random() < 0.25
        self.breaks_off = rng.random() < 0.1
        self.troubled = True

    # The gateway.

    def pass_gateway(self, who, packet):
        """Sends a packet in; checks what comes out."""
        end = self.ends[who]
        came = self.gateway.through(self.site.side(who), packet)
        self.trace.append((who, packet, came))
        if packet.flags & ACK and not packet.flags & SYN:
            heard = since(packet.ack, end.peer_isn + 1)
            self.flows[1 - who].una = max(self.flows[1 - who].una, heard)
        for out in came:
            self.judge(who, packet, out)
        return came

    def judge(self, who, packet, out):
        """What is true of every packet by itself."""
        site, other = self.site, self.ends[1 - who]
        seen = site.client_seen if who == 0 else site.server_seen
        if out.src != ip(seen) or out.dst != other.addr or out.dport != (other.port or out.dport):
            raise Wrong("a packet with other addresses")
        if who == 0 and other.peer_port == 0:
            other.peer_port = out.sport
        if out.sport != (other.peer_port if who == 0 else site.port):
            raise Wrong("a packet with another source port")
        if out.ip_id != packet.ip_id and not packet.gso_size:
            raise Wrong("an IP identification or a flow label of another packet")
        if (out.window, out.stamps) != (packet.window, packet.stamps):
            raise Wrong("the window or the time stamps were changed")
        kept = SYN | RST | ACK
        if out.flags & kept != packet.flags & kept:
            raise Wrong(f"flags {packet.flags:#x} became {out.flags:#x}")
        if packet.flags & SYN:
            if out.mss > packet.mss - 64 and out.mss > 88 or out.seq != packet.seq:
                raise Wrong(f"{self.ends[who].name}: the MSS {packet.mss} became {out.mss}")
            return
        flow = self.flows[who]
        at = since(out.seq, self.ends[who].isn + 1)
        for n, byte in enumerate(out.payload, at):
            # Below what far has, nobody looks at it.
            if n >= flow.una and flow.bytes.setdefault(n, byte) != byte:
                raise Wrong(f"two different bytes were sent at {n}")
        if out.flags & URG:
            flow.urgent.append((since(packet.seq, self.ends[who].isn + 1) + packet.urgent,
                                at + out.urgent))
        if packet.flags & ACK:
            near = self.flows[1 - who]
            receiver = self.ends[who]
            near.acks.append((
                since(out.ack, other.isn + 1),
                [tuple(since(x, other.isn + 1) for x in b) for b in out.sacks],
                since(packet.ack, receiver.peer_isn + 1),
                [tuple(since(x, receiver.peer_isn + 1) for x in b) for b in packet.sacks],
                other.top,
            ))

    # The way, on both sides of the gateway.

    def send(self, who, packet):
        self.before[who].append(packet)

    def deliver(self, queue, lost, late, doubled):
        """Takes a packet off a stretch of the way; None if it got lost."""
        rng = self.rng
        if not self.troubled:
            return queue.pop(0)
        at = rng.randrange(len(queue)) if rng.random() < late else 0
        packet = queue.pop(at)
        if rng.random() < lost:
            return None
        if rng.random() < doubled:
            queue.insert(rng.randrange(len(queue) + 1), packet)
        return packet

    def move(self, who):
        """One packet goes on by one stretch; whether there was one."""
        rng = self.rng
        stretches = [q for q in (self.before[who], self.after[who]) if q]
        if not stretches:
            return False
        queue = rng.choice(stretches)
        if queue is self.before[who]:
            packet = self.deliver(queue, self.lost_before[who], self.late[who], self.doubled[who])
            if packet is not None:
                self.after[who] += self.pass_gateway(who, packet)
        else:
            packet = self.deliver(queue, self.lost_after[who], self.late[who], self.doubled[who])
            if packet is not None:
                self.ends[1 - who].receive(packet)
        return True

    # The ends.

    def shake_hands(self):
        client, server = self.ends
        for who, packet in ((0, client.syn), (1, server.syn), (0, client.bare)):
            came = self.pass_gateway(who, packet())
            if len(came) != 1:
                raise Wrong("the handshake doesn't pass")
            self.ends[1 - who].receive(came[0])

    def say(self, who):
        """Sends something new, if there is something and it may be sent."""
        end, rng = self.ends[who], self.rng
        room = end.edge - end.nxt
        left = end.end() - end.nxt
        if left <= 0 or (room <= 0 and not (left == 1 and end.closed and room == 0)):
            return False
        whole = end.mss * (rng.randrange(1, 9) if self.merging else 1)
        length = min(whole, left, max(room, 1), rng.randrange(1, self.step_size + 1))
        if end.traits.nagle and length < end.mss and end.unacked():
            return False
        if rng.random() < 0.03 and length > 1:
            packet = end.urgent(end.nxt, length, rng.randrange(end.nxt, end.nxt + length + 1))
        else:
            packet = end.segment(end.nxt, length)
        packet.gso_size = end.mss if length > end.mss else 0
        self.send(who, packet)
        return True

    def repeat(self, who):
        """Sends old data again, in pieces of its own choice."""
        end, rng = self.ends[who], self.rng
        if not end.unacked():
            return False
        start = end.una if rng.random() < 0.7 else rng.randrange(end.una, end.top)
        if end.traits.believes_sacks:
            for s, e in sorted(end.sacked):
                if s <= start < e:
                    start = e
        if start >= end.top:
            start = end.una
        stop = min(end.top if rng.random() < 0.7 else end.end(), start + end.mss, max(end.edge, start + 1))
        length = max(1, min(stop - start, rng.choice((1, 7, end.mss, end.mss))))
        if end.traits.believes_sacks:
            for s, e in end.sacked:
                if start < s < start + length:
                    length = s - start
        if start + length > len(end.data) and not end.closed:
            length = len(end.data) - start
        if length <= 0:
            return False
        self.send(who, end.segment(start, length))
        return True

    def ask(self, who):
        """A keep-alive or a probe of a window that is shut."""
        end, rng = self.ends[who], self.rng
        kind = rng.randrange(3)
        if kind == 0 and end.una > 0:
            # RFC 1122, 4.2.3.6: one byte of garbage that was acknowledged.
            packet = end.header(ACK, end.seq(end.una - 1))
            packet.payload = bytes([rng.randrange(256)])
        elif kind == 1 and end.nxt < len(end.data) and end.edge <= end.nxt:
            packet = end.segment(end.nxt, 1)
        else:
            packet = end.header(ACK, end.seq(end.una - 1))
        self.send(who, packet)

    def listen(self, who):
        """The program reads; it gives its answer."""
        end, rng = self.ends[who], self.rng
        if end.traits.tight and self.troubled and rng.random() < 0.1:
            # It reads nothing for a while. The right edge stays where it is.
            end.room = 0
        elif end.room == 0 and (not self.troubled or rng.random() < 0.2):
            end.room = end.traits.window
            end.must_ack = True
        return self.talk.go_on(self.ends)

    def acknowledge(self, who):
        end = self.ends[who]
        if not end.must_ack:
            return False
        self.send(who, end.bare())
        return True

    def is_over(self):
        client, server = self.ends
        return all(e.closed and e.una == e.end() for e in self.ends) and client.heard_fin \
            and server.heard_fin

    def run(self):
        """To the end; the alignments of both directions."""
        rng = self.rng
        self.shake_hands()
        broken_at = rng.randrange(50, 600) if self.breaks_off else None
        for step in range(STEPS):
            self.troubled = step < TROUBLED
            if step == broken_at:
                self.break_off()
                return self.conclude(whole=False)
            if self.is_over():
                break
            who = rng.randrange(2)
            if not self.act(who) and not self.act(1 - who):
                # Nothing is on its way: a timer goes off.
                self.time_out()
        else:
            raise Wrong(f"no end after {STEPS} steps: " + self.where())
        verdict = self.conclude(whole=True)
        self.break_off()
        return verdict

    def act(self, who):
        rng = self.rng
        if self.troubled and rng.random() < self.again and self.repeat(who):
            return True
        if self.troubled and rng.random() < 0.005:
            self.ask(who)
            return True
        actions = [self.say, self.move, self.listen]
        if rng.random() < 0.5:
            actions.append(self.acknowledge)
        rng.shuffle(actions)
        return any(action(who) for action in actions) or self.acknowledge(who)

    def time_out(self):
        for who in (0, 1):
            end = self.ends[who]
            if end.unacked():
                end.sacked = [] if not end.traits.believes_sacks else end.sacked
                self.repeat(who)
            elif end.nxt < end.end():
                self.ask(who)

    def where(self):
        return ", ".join(
            f"{e.name} said {e.top} of {e.end()}, {e.una} acknowledged, heard {e.heard()}"
            for e in self.ends
        )

    def break_off(self):
        """A RST: where all has arrived and was acknowledged it must be believed."""
        who = self.rng.randrange(2)
        end, other = self.ends[who], self.ends[1 - who]
        quiet = not any(self.before) and not any(self.after)
        packet = end.rst()
        for out in self.pass_gateway(who, packet):
            other.receive(out)
        settled = quiet and end.una == end.top == end.nxt
        if settled and not other.reset:
            raise Wrong("a RST behind all that was acknowledged isn't where it is expected")
        # Whatever became of it, the session is to be over.
        for side in (0, 1):
            self.pass_gateway(side, self.ends[side].rst())

    # The verdict.

    def conclude(self, whole):
        """What is true of the streams as a whole."""
        solicited = self.talk.solicited(self.ends[1].data)
        verdicts = []
        for who, (end, other) in enumerate((self.ends, self.ends[::-1])):
            rule = self.talk.rules[who]
            sent = bytes(end.data)
            if not whole:
                # Whole lines that arrived, of those that were sent.
                count = bytes(other.got).count(b"\n")
                sent = b"".join(lines_of(sent)[:count])
                received = b"".join(lines_of(bytes(other.got))[:count])
            else:
                received = bytes(other.got)
            alignment = compare(sent, received, rule, solicited if who else None)
            self.judge_acks(who, alignment, whole)
            verdicts.append(alignment)
        return verdicts

    def judge_acks(self, who, alignment, whole):
        """Each acknowledgement meant what it said about the sender's own stream."""
        flow = self.flows[who]
        needs, length = alignment.needs, len(alignment.needs)
        data = bytes(self.ends[who].data)
        highest = {}
        last = (0, 0)
        for ack, blocks, heard, heard_blocks, top in flow.acks:
            if ack > top:
                raise Wrong(f"{ack} acknowledged, {top} sent")
            if heard >= last[0] and ack < last[1]:
                raise Wrong(f"the acknowledgement went back from {last[1]} to {ack}")
            if heard >= last[0]:
                last = (heard, ack)
            # An old one that comes late may tell of what was received since.
            heard = last[0]
            missing = [n for n in range(max(0, min(ack, length) - 90), min(ack, length))
                       if needs[n][1] > heard]
            # Held bytes are acknowledged before far has them: a part of one line.
            if missing and (ack - missing[0] > 72 or b"\n" in data[missing[0]:ack]):
                raise Wrong(f"{ack} acknowledged, of which {heard} of the output were received: "
                            f"{data[missing[0]:ack]!r} is missing from {needs[missing[0]]} on")
            if ack > length + 1 + (not whole) * MOD:
                raise Wrong(f"{ack} acknowledged of {length}")
            there = set()
            for start, end in heard_blocks:
                there.update(range(start, end))
            for nth, (start, end) in enumerate(blocks):
                # The first one may be of a duplicate (RFC 2883).
                if start < ack and (nth > 0 or end > top):
                    raise Wrong(f"the SACK block {start}-{end} below {ack}")
                for n in range(start, min(end, length)):
                    lacking = [x for x in range(*needs[n]) if x >= heard and x not in there]
                    if lacking:
                        raise Wrong(f"a SACK block with {n}, of which {lacking} weren't received")
        for at, out in flow.urgent:
            if at < length and alignment.plain[at] is not None and alignment.plain[at] != out:
                raise Wrong(f"the urgent byte {at} is {alignment.plain[at]}, not {out}")
