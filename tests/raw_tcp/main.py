"""Two TCP ends made by hand, with the gateway under test between them.

What it says last is `N sessions, N packets`. A seed that fails is printed with
what was wrong, and its last packets; `--seed` runs it again."""

import argparse
import itertools
import random
import sys
import time
import traceback

import exhaustive
from gateway import Gateway
from internet import Wrong
from sessions import Session, Site


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--inside", nargs=2, required=True, metavar=("NAMESPACE", "MAC"))
    p.add_argument("--outside", nargs=2, required=True, metavar=("NAMESPACE", "MAC"))
    p.add_argument("--interface", default="eth0")
    p.add_argument("--mtu", type=int, default=1500)
    p.add_argument("--gateway", required=True, help="its outside address")
    p.add_argument("--gateway-inside", required=True)
    p.add_argument("--clients", nargs="+", required=True, help="addresses inside")
    p.add_argument("--server-inside", required=True)
    p.add_argument("--far", nargs="+", required=True, help="addresses outside")
    p.add_argument("--sessions", type=int, default=0, help="random ones; 0: none")
    p.add_argument("--seconds", type=float, default=0, help="stop after so long; 0: never")
    p.add_argument("--first", type=int, default=1, help="the first seed")
    p.add_argument("--seed", type=int, help="only this one, and tell its packets")
    p.add_argument("--exhaustive", action="store_true", help="every cut of typical lines")
    p.add_argument("--failures", type=int, default=3, help="how many to tell of")
    return p.parse_args()


def sites(args, rng):
    """Where a session takes place: masquerade, DNAT, or both at once."""
    far = rng.choice(args.far)
    kind = rng.randrange(3)
    if kind == 0:
        return Site(0, rng.choice(args.clients), args.gateway, far, far, 21)
    seen = far if kind == 1 else args.gateway_inside
    return Site(1, far, seen, args.server_inside, args.gateway, 2120 + kind)


def tell(session):
    """The streams and the packets of a session."""
    for end in session.ends:
        print(f"  {end.name} said {bytes(end.data)!r}")
    for who, packet, came in session.trace:
        print(f"  {shown(session, who, packet)}")
        for out in came:
            print(f"      -> {shown(session, who, out)}")
        if not came:
            print("      -> nothing")


def shown(session, who, p):
    end, other = session.ends[who], session.ends[1 - who]
    at = (p.seq - end.isn - 1 + 2**31) % 2**32 - 2**31
    ack = (p.ack - other.isn - 1 + 2**31) % 2**32 - 2**31 if p.ack else "-"
    sacks = [tuple((x - other.isn - 1 + 2**31) % 2**32 - 2**31 for x in b) for b in p.sacks]
    return (f"{end.name} {at}+{len(p.payload)} ack {ack} flags {p.flags:#04x} win {p.window}"
            f"{f' sack {sacks}' if sacks else ''}{f' urg {p.urgent}' if p.urgent else ''}"
            f"{f' gso {p.gso_size}' if p.gso_size else ''} {p.payload[:70]!r}")


def run_seed(args, gateway, seed, trace):
    """One session; whether all was right."""
    rng = random.Random(seed * 7919)
    site = sites(args, rng)
    # Another port in every run: a seed's numbers are the same in each, and a
    # connection with the same numbers would be the same connection.
    session = Session(gateway, site, seed, 10000 + (seed + args.salt) % 50000)
    try:
        return session.run()
    except Exception as error:
        print(f"seed {seed}: {error}")
        if not isinstance(error, Wrong):
            traceback.print_exc(file=sys.stdout)
        if not trace:
            session.trace = session.trace[-12:]
        tell(session)
        return None
    finally:
        if trace:
            tell(session)


def main():
    args = arguments()
    args.salt = random.randrange(50000)
    ends = [(args.inside[0], args.interface), (args.outside[0], args.interface)]
    macs = [bytes.fromhex(m.replace(":", "")) for m in (args.inside[1], args.outside[1])]
    gateway = Gateway(ends, macs, (args.clients[0], args.far[0]), args.mtu)
    began, failed, verdicts = time.monotonic(), 0, []
    if args.exhaustive:
        verdicts += exhaustive.run(args, gateway)
    seeds = range(args.first, args.first + args.sessions) if args.sessions else ()
    if args.seconds and not args.sessions:
        seeds = itertools.count(args.first)
    if args.seed is not None:
        seeds = [args.seed]
    for seed in seeds:
        if args.seconds and time.monotonic() - began > args.seconds:
            break
        verdict = run_seed(args, gateway, seed, args.seed is not None)
        if verdict is None:
            failed += 1
            if failed == args.failures:
                break
        else:
            verdicts.append(verdict)
    both = [alignment for verdict in verdicts for alignment in verdict]
    edits, longer = (sum(getattr(a, what) for a in both) for what in ("edits", "longer"))
    print(f"{len(verdicts) + failed} sessions, {gateway.sent} packets, {edits} announcements "
          f"replaced, {longer} of them with another length, {failed} failed")
    return 1 if failed or not edits else 0


if __name__ == "__main__":
    sys.exit(main())
