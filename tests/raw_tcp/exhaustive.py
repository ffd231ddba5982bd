"""Typical lines, cut at every offset, and what can happen to their pieces."""

import itertools

from internet import Wrong, is_v6
from sessions import Session, Site

# The ports' digits leave the new text as long as the old one, or don't.
COMMANDS = (
    "PORT {comma},4,0\r\n",
    "PORT {comma},230,177\r\n",
    "EPRT |1|{dot}|1024|\r\n",
    "port  {comma},9,9 \n",
)
COMMANDS6 = (
    "EPRT |2|{dot}|1024|\r\n",
    "eprt  !2!{dot}!64000!\n",
)
REPLIES = (
    "227 Entering Passive Mode ({comma},4,1).\r\n",
    "227 ={comma},19,137\r\n",
    "229 Entering Extended Passive Mode (|||9999|)\r\n",
)
REPLIES6 = REPLIES[2:]


# No two sessions have the same numbers, nor those of a random one.
SEEDS = itertools.count(1_000_000)


class Cuts(Session):
    """A session whose segments are all sent on purpose."""

    def __init__(self, args, gateway, who, form):
        seed = next(SEEDS)
        if who == 0:
            # The same one for a form, so that its line has one length.
            client = args.clients[len(form) % len(args.clients)]
            site = Site(0, client, args.gateway, args.far[0], args.far[0], 21)
        else:
            site = Site(1, args.far[0], args.far[0], args.server_inside, args.gateway, 2121)
        super().__init__(gateway, site, seed, 61000 + (seed + args.salt) % 4000)
        self.who = who
        for end in self.ends:
            end.traits.mss, end.traits.window = 1460, 20_000
            end.room = 20_000
        self.own = site.client if who == 0 else site.server
        self.shake_hands()
        self.say_all(1, b"220 hello\r\n", False)

    # The side whose stream matters is `who`; the other one acknowledges.

    def put(self, start, length, lost=False, who=None):
        """A segment goes through the gateway, and arrives or not."""
        who = self.who if who is None else who
        end = self.ends[who]
        stop = start + length
        start = max(start, end.una)
        if start >= stop:
            return
        for out in self.pass_gateway(who, end.segment(start, stop - start)):
            if not lost:
                self.ends[1 - who].receive(out)

    def acked(self, who=None):
        """What arrived is acknowledged."""
        who = self.who if who is None else who
        for out in self.pass_gateway(1 - who, self.ends[1 - who].bare()):
            self.ends[who].receive(out)

    def settle(self, who=None):
        """Until all is through: an honest end sends again what isn't acknowledged."""
        who = self.who if who is None else who
        end = self.ends[who]
        for _ in range(8):
            self.acked(who)
            if end.una == end.end():
                return
            self.put(end.una, end.end() - end.una, who=who)
        raise Wrong(f"not through: {self.where()}")

    def say_all(self, who, text, solicited):
        """A whole line without any trouble."""
        end = self.ends[who]
        start = len(end.data)
        end.data += text
        if who == 1:
            self.talk.marks += [solicited] * text.count(b"\n")
        self.put(start, len(text), who=who)
        self.settle(who)

    def line(self, form):
        """The next line, of which nothing is sent yet: where it begins, its length."""
        text = form.format(dot=self.own, comma=self.own.replace(".", ",")).encode()
        if self.who == 1:
            self.say_all(0, b"EPSV\r\n" if text.startswith(b"229") else b"PASV\r\n", None)
            self.talk.marks.append(True)
        data = self.ends[self.who].data
        data += text
        return len(data) - len(text), len(text)

    def answered(self):
        """The other side's answer to the line."""
        self.settle()
        if self.who == 0:
            self.say_all(1, b"200 ok\r\n", False)


def in_two(s, at, n, cut):
    """What can happen to a line in two pieces, each on a line of its own."""
    first, second = (at, cut), (at + cut, n - cut)
    yield lambda: (s.put(*first), s.put(*second))
    yield lambda: (s.put(*first), s.acked(), s.put(*second))
    yield lambda: (s.put(*second), s.put(*first), s.put(*second))
    yield lambda: (s.put(*first), s.put(*first), s.put(*second), s.put(*second), s.put(at, n))
    yield lambda: (s.put(*first, lost=True), s.put(*second), s.acked())
    yield lambda: (s.put(*first), s.acked(), s.put(*second, lost=True), s.put(at, n))
    yield lambda: (s.put(*first), s.acked(), s.put(*second, lost=True), s.put(at + 1, n - 1))
    for moved in (1, cut - 1, cut + 1, n - 1):
        yield lambda moved=moved: (
            s.put(*first, lost=True), s.put(*second, lost=True), s.put(at, moved), s.acked(),
            s.put(at + moved, n - moved), s.put(*second),
        )


def every_cut(args, gateway, who, form):
    """In two, whatever happens; and in three, in any order."""
    s = Cuts(args, gateway, who, form)
    at, n = s.line(form)
    s.put(at, n)
    s.answered()
    variants = len(list(in_two(s, 0, n, 2)))
    for cut, variant in itertools.product(range(1, n), range(variants)):
        at, _ = s.line(form)
        list(in_two(s, at, n, cut))[variant]()
        s.answered()
    for a, b in itertools.combinations(range(1, n), 2):
        if (a + b) % 3:
            continue
        pieces = [(0, a), (a, b - a), (b, n - b)]
        order = list(itertools.permutations(pieces))[(a * 31 + b) % 6]
        at, _ = s.line(form)
        for start, length in order:
            s.put(at + start, length)
        s.answered()
    at, _ = s.line(form)
    for n_th in range(n):
        s.put(at + n_th, 1)
        if n_th % 3 == 0:
            s.acked()
    s.answered()
    verdict = s.conclude(whole=True)
    s.break_off()
    return [verdict]


def every_end(args, gateway, who, form):
    """A stream that ends after every byte of a line, its FIN with data or without."""
    verdicts = []
    for cut in itertools.count(1):
        for variant in range(3):
            s = Cuts(args, gateway, who, form)
            at, length = s.line(form)
            end = s.ends[who]
            del end.data[at + cut:]
            if variant == 1:
                s.put(at, cut)
                s.acked()
            elif variant == 2:
                s.put(at, cut)
            end.closed = True
            s.put(at + (cut if variant == 2 else 0), cut + 1, lost=variant == 2)
            s.settle()
            if not s.ends[1 - who].heard_fin:
                raise Wrong(f"the FIN behind {cut} bytes did not arrive")
            verdicts.append(s.conclude(whole=True))
            s.break_off()
        if cut >= length:
            return verdicts


def run(args, gateway):
    """All of it; what became of each session's streams."""
    verdicts = []
    forms_of_both = (COMMANDS6, REPLIES6) if is_v6(args.gateway) else (COMMANDS, REPLIES)
    for who, forms in enumerate(forms_of_both):
        for form in forms:
            for what in (every_cut, every_end):
                try:
                    verdicts += what(args, gateway, who, form)
                except Wrong as error:
                    raise Wrong(f"{what.__name__} of {form!r}: {error}") from error
    return verdicts
