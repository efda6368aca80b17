#!/usr/bin/env python3
# timeout: 150
"""demo.py - run tools/demo.sh three times (its own seed, another one, no impairments) and count everything again.

tools/demo.sh says what happened in tables and in demo.json. Here tshark reads demo.pcapng and the figures are counted
afresh from the frames: per interface, per connection, per path, handshakes, losses. Where it can be, a figure is proved
by the frames themselves and not by the comments on them: a lost frame is one that never leaves the next node, a
retransmission is one whose bytes left before, a reordered frame passes an earlier one on its link.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict, namedtuple

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
NOBODY = 65534
MTU, ETHER = 1500, 14
LIMIT_S = 20
LIMIT = 1000  # packets a link holds
SENDING_NS = 2_000_000  # a full frame takes less to be sent at the demo's rates
SYN, FIN, RST, ACK = 2, 1, 4, 16
FATES = {"lost": "loss", "limited": "limit", "reordered": "reorder", "duplicated": "duplicate", "corrupted": "corrupt"}
COUNTS = ("packets", "bytes", "retransmitted", *FATES)
FIELDS = {
    "time": "frame.time_epoch", "iface": "frame.interface_name", "comment": "frame.comment", "size": "frame.len",
    "src": "ip.src", "dst": "ip.dst", "ttl": "ip.ttl", "id": "ip.id", "ip_sum": "ip.checksum.status",
    "sport": "tcp.srcport", "dport": "tcp.dstport", "seq": "tcp.seq_raw", "ack": "tcp.ack_raw", "flags": "tcp.flags",
    "len": "tcp.len", "tcp_sum": "tcp.checksum.status", "tsval": "tcp.options.timestamp.tsval", "bad": "_ws.malformed",
}
Frame = namedtuple("Frame", ["n", *FIELDS, "words"])


class Tap:
    """Test results, one line each; the plan comes last."""

    def __init__(self):
        self.n = self.failed = 0

    def case(self, name, wrong):
        """`wrong`: what is not as it should be; empty if all is well."""
        self.n += 1
        self.failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {self.n} - {name}")
        lines = [wrong] if isinstance(wrong, str) and wrong else list(wrong or [])
        for line in lines[:8]:
            print(f"# {line}")
        if len(lines) > 8:
            print(f"# ... and {len(lines) - 8} more")
        sys.stdout.flush()

    def end(self):
        print(f"1..{self.n}")
        return 1 if self.failed else 0


# --- reading the capture ---------------------------------------------------------------------------------------------

def tshark(*args):
    # -n: no name look-ups; a personal configuration must not change what is counted.
    return subprocess.run(["tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
                           # A byte is captured once on each link, so streams cannot be put together from all links.
                           "-o", "tcp.desegment_tcp_streams:FALSE", "--disable-protocol", "http", *args],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60,
                          env={**os.environ, "WIRESHARK_CONFIG_DIR": "/nonexistent", "HOME": "/nonexistent"}).stdout


def fields(path, names):
    args = [a for f in names for a in ("-e", f)]
    text = tshark("-r", path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f", *args)
    return [line.split("\t") for line in text.splitlines()]


def nanoseconds(epoch):
    whole, _, part = epoch.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0")[:9])


def read_frames(path):
    frames = []
    for n, row in enumerate(fields(path, FIELDS.values()), 1):
        v = dict(zip(FIELDS, row))
        number = {k: int(v[k], 0) if v[k] else None for k in ("size", "ttl", "id", "sport", "dport", "seq", "ack", "flags", "len", "tsval")}
        words = [part.split(":")[0] for part in v["comment"].split("; ")] if v["comment"] else []
        frames.append(Frame(n=n, **{**v, **number, "time": nanoseconds(v["time"])}, words=words))
    return frames


def is_repeat(f):
    return any(w.startswith("retransmit-") or w in ("syn-retransmit", "syn-ack-again") for w in f.words)


class Net:
    """The topology, as `via lab inspect` tells it."""

    def __init__(self, text):
        lab = json.loads(text)
        self.owner, self.ifaces = {}, []
        for node in lab["nodes"]:
            for i in (i for i in node["interfaces"] if i["name"] != "lo"):
                self.ifaces.append(f"{node['name']}:{i['name']}")
                for a in i["addresses"]:
                    self.owner[a.split("/")[0]] = node["name"]
        self.peer = {link["from"]: link["to"].split(":")[0] for link in lab["links"]}
        self.delay = {link["from"]: link["impairments"]["delay_ns"] + link["impairments"]["jitter_ns"] for link in lab["links"]}


# --- counting again --------------------------------------------------------------------------------------------------

def empty():
    return dict.fromkeys(COUNTS, 0)


def count_fate(to, f):
    for key, word in FATES.items():
        to[key] += word in f.words


def count_sent(to, f):
    to["packets"] += 1
    to["bytes"] += f.size
    to["retransmitted"] += is_repeat(f)


class Direction:
    def __init__(self):
        self.n, self.segments, self.payload, self.path, self.top = empty(), 0, 0, [], None
        self.repeats = 0  # by sequence numbers alone

    def stream(self, f):
        """Sequence space that left the sender: SYN and FIN count as one byte each."""
        end = f.seq + f.len + bool(f.flags & SYN) + bool(f.flags & FIN)
        if self.top is None:
            self.top = f.seq
        ahead = (end - self.top) & 0xffffffff
        fresh = 0 < ahead < 1 << 31
        is_probe = f.len <= 1 and ("probe" in f.words or "keepalive" in f.words)  # of a closed window, or of a silent peer
        if end != f.seq and not (f.flags & RST) and not is_probe:
            self.repeats += not fresh or f.seq != self.top
        if f.len:
            self.segments += 1
            if fresh:
                self.payload += min(ahead - bool(f.flags & FIN), f.len)
        if fresh:
            self.top = end & 0xffffffff


class Connection:
    def __init__(self, f):
        self.client, self.server, self.syn = (f.src, f.sport), (f.dst, f.dport), f.seq
        self.first = self.last = self.busy = f.time
        self.dirs, self.steps = (Direction(), Direction()), {}


def recount(frames, net):
    """(counts by interface, connections in order)."""
    by_iface, conns, newest = defaultdict(empty), [], {}
    for f in frames:
        count_sent(by_iface[f.iface], f)
        count_fate(by_iface[f.iface], f)
        if f.sport is None:
            continue
        key = frozenset([(f.src, f.sport), (f.dst, f.dport)])
        c = newest.get(key)
        if f.flags & (SYN | ACK | RST) == SYN and (c is None or c.syn != f.seq):
            c = newest[key] = Connection(f)
            conns.append(c)
        if c is not None:
            count_segment(c, f, net)
    return by_iface, conns


def count_segment(c, f, net):
    to_server = (f.src, f.sport) == c.client
    d = c.dirs[0 if to_server else 1]
    node = f.iface.split(":")[0]
    c.last = max(c.last, f.time)
    count_fate(d.n, f)
    if node not in d.path:
        d.path.append(node)
    if net.peer[f.iface] == net.owner[f.dst] and net.peer[f.iface] not in d.path:
        d.path.append(net.peer[f.iface])
    if node != net.owner[f.src]:
        return
    count_sent(d.n, f)
    d.stream(f)
    c.busy = f.time if f.len else c.busy
    kind = f.flags & (SYN | ACK | RST)
    step = {(SYN, True): "syn", (SYN | ACK, False): "syn_ack", (ACK, True): "ack"}.get((kind, to_server))
    if step and not (step == "ack" and "syn_ack" not in c.steps):
        c.steps.setdefault(step, f)


# --- the checks ------------------------------------------------------------------------------------------------------

def differ(what, counted, told):
    """Sentences for all keys whose counted figure is not what demo.json tells."""
    return [f"{what}: {k} counted {counted[k]}, told {told.get(k)}" for k in counted if counted[k] != told.get(k)]


def check_interfaces(t, told, by_iface, net):
    wrong = [f"{i} is no interface of the lab" for i in by_iface if i not in net.ifaces]
    total = empty()
    for i in told["interfaces"]:
        counted = by_iface.get(i["interface"], empty())
        wrong += differ(i["interface"], counted, i)
        for k in total:
            total[k] += counted[k]
    if sorted(i["interface"] for i in told["interfaces"]) != sorted(net.ifaces):
        wrong.append("demo.json does not list the interfaces of the lab")
    wrong += differ("totals", total, told["totals"])
    t.case("packets, bytes, lost, reordered, retransmitted of each interface", wrong)


def check_handshakes(t, told, conns):
    wrong = []
    for c, j in zip(conns, told["connections"]):
        for step in ("syn", "syn_ack", "ack"):
            f, s = c.steps.get(step), j["handshake"][step]
            if f is None or s is None:
                wrong.append(f"connection {j['n']}: no {step}")
            elif (f.time, f.seq) != (s["time_ns"], s["seq"]) or (step != "syn" and f.ack != s["ack"]):
                wrong.append(f"connection {j['n']} {step}: captured {f.time} {f.seq} {f.ack}, told {s}")
        if len(c.steps) == 3:
            syn, answer, ack = (c.steps[s] for s in ("syn", "syn_ack", "ack"))
            expect = ((syn.seq + 1) % 2**32, (syn.seq + 1) % 2**32, (answer.seq + 1) % 2**32)
            if (answer.ack, ack.seq, ack.ack) != expect:
                wrong.append(f"connection {j['n']}: numbers of the handshake do not follow from each other")
    t.case("handshake numbers and times, and each follows from the one before", wrong)


def check_connections(t, told, conns, net):
    if len(conns) != len(told["connections"]):
        t.case("connections", f"captured {len(conns)}, told {len(told['connections'])}")
        return
    wrong = []
    for c, j in zip(conns, told["connections"]):
        for end, side in ((c.client, "client"), (c.server, "server")):
            wrong += differ(f"connection {j['n']} {side}", {"address": end[0], "port": end[1], "node": net.owner[end[0]]}, j[side])
        times = {"time_ns": c.first, "duration_ns": c.last - c.first, "busy_ns": c.busy - c.first}
        goodput = sum(d.payload for d in c.dirs) * 8 * 10**9 // times["busy_ns"]
        wrong += differ(f"connection {j['n']}", {**times, "goodput_bps": goodput}, j)
        for d, side in zip(c.dirs, ("sent", "received")):
            counted = {**d.n, "segments": d.segments, "payload": d.payload, "path": d.path}
            wrong += differ(f"connection {j['n']} {side}", counted, j[side])
    t.case("connections: ports, time, goodput, packets, payload and path of both directions", wrong)
    check_handshakes(t, told, conns)


def check_paths(t, told, conns):
    paths = {}
    for c in conns:
        for d in c.dirs:
            p = paths.setdefault(tuple(d.path), {**empty(), "segments": 0, "payload": 0, "ports": []})
            for k in COUNTS:
                p[k] += d.n[k]
            p["segments"] += d.segments
            p["payload"] += d.payload
            p["ports"].append(c.client[1])
    wrong = [] if len(paths) == len(told["paths"]) else [f"counted {len(paths)} paths, told {len(told['paths'])}"]
    for j in told["paths"]:
        p = paths.get(tuple(j["nodes"]))
        if p is None:
            wrong.append(f"nothing went by {j['nodes']}")
        else:
            wrong += differ(" > ".join(j["nodes"]), {**p, "connections": len(p["ports"])}, j)
    t.case("packets, lost, reordered, retransmitted and ports of each path", wrong)
    both = ["home > r1 > r2 > r4 > sina", "home > r1 > r3 > r4 > sina", "sina > r4 > r2 > r1 > home", "sina > r4 > r3 > r1 > home"]
    went = {" > ".join(p) for p in paths}
    t.case("both paths are used, in both directions", [f"nothing went {p}" for p in both if p not in went])


def check_ladder(t, told, frames):
    at = {(f.time, f.iface, f.seq, f.len, f.ack if f.flags & ACK else None, f.comment) for f in frames if f.seq is not None}
    wrong = []
    events = told["ladder"]["events"] + told["loss"]["events"]
    for e in events:
        ack = e["ack"] if "ACK" in e["flags"] else None
        if (e["time_ns"], e["interface"], e["seq"], e["len"], ack, e["note"]) not in at:
            wrong.append(f"no such frame: {e}")
    told_flags = [re.sub(" (ECE|CWR)", "", e["flags"]) for e in told["ladder"]["events"][:3]]  # ECN is negotiated there
    if told["totals"]["lost"] == 0 and told_flags != ["SYN", "SYN ACK", "ACK"]:
        wrong.append(f"the ladder opens with {told_flags}")
    steps = [e["what"] for e in told["loss"]["events"]]
    if told["totals"]["lost"] and steps[:2] != ["lost", "repeated"]:
        wrong.append(f"the first loss is told as {steps}")
    t.case("each rung of the ladder is a frame of the capture", wrong)


def check_frames(t, frames, net):
    t.case("no frame is malformed", [f"frame {f.n}: {f.bad}" for f in frames if f.bad])
    t.case("no IP or TCP checksum is bad or unverified",
           [f"frame {f.n} ip {f.ip_sum} tcp {f.tcp_sum}" for f in frames if f.src and (f.ip_sum != "1" or (f.sport and f.tcp_sum != "1"))])
    t.case("no frame exceeds the MTU", [f"frame {f.n}: {f.size} bytes" for f in frames if f.size > MTU + ETHER])
    t.case("interfaces are named node:ethN", sorted({f"{f.iface}" for f in frames if not re.fullmatch(r"[a-z0-9-]+:eth\d+", f.iface)}))
    t.case("the file is in order of time", [f"frame {b.n}" for a, b in zip(frames, frames[1:]) if b.time < a.time])


def identity(f):
    """What no router changes."""
    return (f.src, f.dst, f.id, f.sport, f.dport, f.seq, f.ack, f.flags, f.len, f.tsval)


def check_losses(t, frames, net, end_ns):
    """On each link: what left and was not lost leaves the next node; what was lost does not. TTL falls by one a hop."""
    left, lost, gone_ns, out = defaultdict(Counter), defaultdict(Counter), {}, defaultdict(Counter)
    ttl, wrong, n_lost, n_alone, n_under_way = {}, [], 0, 0, 0
    for f in frames:
        if f.sport is None:
            continue
        key, node = identity(f), f.iface.split(":")[0]
        out[node][key] += 1
        ttl[node, key] = f.ttl
        if net.peer[f.iface] == net.owner[f.dst]:
            continue  # the next node keeps it
        left[f.iface][key] += 1
        gone_ns[f.iface, key] = f.time
        if "loss" in f.words:
            lost[f.iface][key] += 1
            n_lost += 1
    for iface in left:
        node, nxt = iface.split(":")[0], net.peer[iface]
        for key, n in left[iface].items():
            missing = n - lost[iface][key] - out[nxt][key]
            n_alone += lost[iface][key] == n == 1 and out[nxt][key] == 0
            if missing > 0 and gone_ns[iface, key] + net.delay[iface] >= end_ns:
                n_under_way += missing
            elif missing:
                wrong.append(f"{iface}: {key}: {n} left, {lost[iface][key]} lost, {out[nxt][key]} left {nxt}")
            if out[nxt][key] and ttl[nxt, key] != ttl[node, key] - 1:
                wrong.append(f"{iface}: TTL {ttl[node, key]} is {ttl[nxt, key]} behind {nxt}")
    if n_alone < n_lost * 0.8:
        wrong.append(f"only {n_alone} of {n_lost} lost frames could be told from all others")
    print(f"# {n_lost} TCP frames lost, {n_alone} of them like no other; {n_under_way} still under way at the end")
    t.case("a lost packet is captured once, on the interface it left by, and never behind it; all others are seen again", wrong)


def check_reordering(t, frames, net):
    """A frame with the word `reorder` had others under way before it on its link, and nine in ten are seen to leave the
    next node before one of those; a frame without the word never overtakes one of its own connection. (Those of others it
    may: interfaces serve connections in turn, which can also hide that a marked one overtook. Equal frames, such as the
    same ACK twice, cannot be told apart.)"""
    leaves, ways, left = defaultdict(list), defaultdict(list), defaultdict(list)
    for i, f in enumerate(frames):
        if f.sport is not None:
            leaves[f.iface.split(":")[0], identity(f)].append((i, f.iface))
    wrong, n, n_seen = [], 0, 0
    for f in frames:
        nxt = net.peer[f.iface]
        if "loss" in f.words or "limit" in f.words:
            continue
        if "reorder" in f.words and not any(f.time - net.delay[f.iface] - SENDING_NS < sent for sent in left[f.iface]):
            wrong.append(f"frame {f.n} on {f.iface} overtakes, and nothing was under way")
        left[f.iface] = left[f.iface][-LIMIT:] + [f.time]
        if f.sport is None or nxt == net.owner[f.dst]:
            continue
        seen = leaves[nxt, identity(f)]
        if len(seen) == 1:
            ways[f.iface, seen[0][1]].append((f, seen[0][0]))
    for (iface, behind), passed in ways.items():
        last, last_of = -1, defaultdict(lambda: -1)
        for f, i in passed:
            flow = (f.src, f.sport, f.dst, f.dport)
            if "reorder" in f.words:
                n += 1
                n_seen += i < last
            elif i < last_of[flow]:
                wrong.append(f"frame {f.n} on {iface}, frame {i + 1} on {behind}, comment {f.comment!r}")
            last, last_of[flow] = max(last, i), max(last_of[flow], i)
    print(f"# {n} reordered frames seen again behind their link, {n_seen} of them before one that left earlier")
    if n_seen < n * 0.9:
        wrong.append(f"only {n_seen} of {n} marked frames are seen to overtake")
    t.case("a reordered packet overtook another on its link, and no other packet one of its connection", wrong)


def check_repeats(t, path, conns, told, work):
    """Retransmissions by the comments, by sequence numbers, and by tshark's own analysis at the sender."""
    wrong = []
    by_words = [sum(c.dirs[i].n["retransmitted"] for c in conns) for i in (0, 1)]
    by_numbers = [sum(c.dirs[i].repeats for c in conns) for i in (0, 1)]
    by_tshark = []
    flags = ["retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order"]
    for side in ((("home:eth1", "r1:eth1"),), (("sina:eth1", "r4:eth1"), ("mail:eth1", "r4:eth4"))):
        by_tshark.append(0)
        for host, router in side:
            # What tcpdump would see on the host: what leaves it, and what the router next to it sends it.
            view = os.path.join(work, "view.pcapng")
            tshark("-r", path, "-Y", f'frame.interface_name in {{"{host}", "{router}"}}', "-w", view)
            rows = fields(view, ["frame.interface_name"] + [f"tcp.analysis.{f}" for f in flags])
            # A sender sends in order: what tshark calls out of order there is a repetition that came soon.
            by_tshark[-1] += sum(any(r[1:]) for r in rows if r[0] == host)
            os.unlink(view)
    print(f"# retransmitted by clients, by servers: by comments {by_words}, by sequence numbers {by_numbers}, by tshark {by_tshark}")
    if by_words != by_numbers:
        wrong.append(f"by comments {by_words}, by sequence numbers {by_numbers}")
    if by_tshark != by_numbers:
        wrong.append(f"by tshark {by_tshark}, by sequence numbers {by_numbers}")
    if sum(by_words) != told["totals"]["retransmitted"]:
        wrong.append(f"by comments {by_words}, demo.json {told['totals']['retransmitted']}")
    t.case("what is called retransmitted left before, and tshark says so too", wrong)


def check_tables(t, text, told):
    """The figures printed are those of demo.json."""
    rows = [line.split() for line in text.splitlines()]
    wrong = []
    for c in told["connections"]:
        h = c["handshake"]
        want = [str(c["n"]), f"{c['client']['node']}:{c['client']['port']}", f"{c['server']['node']}:{c['server']['port']}",
                *(str(h[s]["seq"]) for s in ("syn", "syn_ack", "ack"))]
        if not any(r[:6] == want for r in rows):
            wrong.append(f"no row {' '.join(want)}")
    for p in told["paths"]:
        want = " > ".join(p["nodes"]).split() + [str(p["connections"]), str(p["packets"])]
        end = [str(p[k]) for k in ("lost", "reordered", "retransmitted")]
        if not any(r[:len(want)] == want and r[-3:] == end for r in rows):
            wrong.append(f"no row {' '.join(want)} ... {' '.join(end)}")
    for i in told["interfaces"]:
        want, end = [i["interface"], i["address"], str(i["packets"])], [str(i["lost"]), str(i["reordered"])]
        if not any(r[:3] == want and r[-2:] == end for r in rows):
            wrong.append(f"no row {' '.join(want)} ... {' '.join(end)}")
    for d in told["drops"]:
        if not any(r[:3] == [d["node"], str(d["count"]), d["name"] + ":"] for r in rows):
            wrong.append(f"no row {d['node']} {d['count']} {d['name']}")
    k = told["totals"]
    want = f"{k['packets']} packets sent on all links, " + ", ".join(f"{k[w]} {w}" for w in ("lost", "reordered", "retransmitted"))
    if want not in text:
        wrong.append("the totals are not those of demo.json")
    t.case("the tables printed tell what demo.json tells", wrong)


# --- running the demo ------------------------------------------------------------------------------------------------

def run_demo(t, name, work, args, uid=None):
    """Run the demo in a copy of what it needs; (demo.json, stdout), or None if it failed."""
    home, out = os.path.join(work, "copy"), os.path.join(work, name.replace(" ", "-"))
    os.mkdir(out)
    if uid is not None:
        os.chown(out, uid, uid)
    as_uid = [] if uid is None else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    env = {"PATH": os.environ["PATH"], "VIA": os.path.join(home, "via"), "OUT": out, "TMPDIR": "/tmp"}
    begin = time.monotonic()
    p = subprocess.run([*as_uid, "timeout", "-k", "2", "60", os.path.join(home, "tools", "demo.sh"), *args], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    took = time.monotonic() - begin
    t.case(f"{name}: the demo ends with 0", [] if p.returncode == 0 else [f"exit status {p.returncode}"] + p.stdout.splitlines()[-7:])
    t.case(f"{name}: it takes less than {LIMIT_S} s", [] if took < LIMIT_S else f"{took:.1f} s")
    print(f"# {took:.1f} s")
    left = sorted(set(os.listdir(out)) - {"demo.json", "demo.pcapng"})
    running = subprocess.run(["pgrep", "-af", home], stdout=subprocess.PIPE, text=True).stdout.splitlines()
    t.case(f"{name}: nothing is left behind but demo.pcapng and demo.json", [f"file {f}" for f in left] + running)
    if p.returncode or not os.path.exists(os.path.join(out, "demo.json")):
        return None
    with open(os.path.join(out, "demo.json")) as f:
        return json.load(f), p.stdout, os.path.join(out, "demo.pcapng")


def check_run(t, told, text, path, net, work):
    frames = read_frames(path)
    by_iface, conns = recount(frames, net)
    print(f"# {len(frames)} frames, {len(conns)} connections, totals {told['totals']}")
    check_tables(t, text, told)
    check_frames(t, frames, net)
    check_interfaces(t, told, by_iface, net)
    check_connections(t, told, conns, net)
    check_paths(t, told, conns)
    check_ladder(t, told, frames)
    check_losses(t, frames, net, told["now_ns"])
    check_reordering(t, frames, net)
    check_repeats(t, path, conns, told, work)
    clients = [c.client[1] for c in conns]
    t.case("each connection has a port of its own; ten connections, as many as files fetched, and the mail's",
           [] if len(set(clients)) == len(clients) == 11 else f"ports {clients}")
    return conns


def main():
    t = Tap()
    work = tempfile.mkdtemp(prefix="viademo")
    try:
        os.chmod(work, 0o755)
        copy = os.path.join(work, "copy")
        os.mkdir(copy)
        for d in ("tools", "examples"):
            shutil.copytree(os.path.join(SRC, d), os.path.join(copy, d))
        shutil.copy(VIA, os.path.join(copy, "via"))
        subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
        topology = os.path.join(copy, "examples", "internet.yaml")
        net = Net(subprocess.run([VIA, "-j", "lab", "inspect", "-t", topology], check=True, stdout=subprocess.PIPE, text=True).stdout)

        first = run_demo(t, "first run", work, [])
        isns = []
        if first:
            check_run(t, *first, net, work)
            isns = [c["handshake"][s]["seq"] for c in first[0]["connections"] for s in ("syn", "syn_ack")]
            lost = first[0]["totals"]
            t.case("something was lost, reordered and retransmitted", [k for k in ("lost", "reordered", "retransmitted") if not lost[k]])

        # As an ordinary uid: no root needed.
        other = run_demo(t, "another seed", work, ["--seed", "2027"], NOBODY if os.getuid() == 0 else None)
        if other:
            check_run(t, *other, net, work)
            again = [c["handshake"][s]["seq"] for c in other[0]["connections"] for s in ("syn", "syn_ack")]
            same = set(isns) & set(again)
            figures = [[{k: i[k] for k in COUNTS} for i in run[0]["interfaces"]] for run in (first, other) if run]
            t.case("another seed gives other figures", "the same figures" if len(figures) == 2 and figures[0] == figures[1] else "")
            t.case("another seed gives other first sequence numbers", [f"{n} again" for n in same])

        clean = run_demo(t, "no impairments", work, ["--no-impairments"])
        if clean:
            check_run(t, *clean, net, work)
            total = clean[0]["totals"]
            t.case("without impairments nothing is lost, reordered or retransmitted",
                   [f"{total[k]} {k}" for k in ("lost", "limited", "reordered", "retransmitted", "corrupted", "duplicated") if total[k]])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
