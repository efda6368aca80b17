#!/usr/bin/env python3
# timeout: 60
"""lab_tool.py - the lab as a tool: one-line topologies, tests of whole labs, and what is asked of labs that are up."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
failed = n_cases = 0
work = tempfile.mkdtemp(prefix="viatool")
env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


def case(name, good, *about):
    global n_cases, failed
    n_cases += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {n_cases} - {name}")
    if not good:
        for a in about:
            print("# " + str(a)[:800].replace("\n", "\n# "))
    sys.stdout.flush()


def via(*args, timeout=20):
    try:
        return subprocess.run([VIA, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout, env=env)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(args, "timeout", str(e.stdout), str(e.stderr))


def expect(name, p, status, out=None, err=None):
    good = p.returncode == status and (out is None or out in p.stdout) and (err is None or err in p.stderr)
    case(name, good, f"status {p.returncode}", p.stdout, p.stderr)


def last(p):
    return p.stdout.rstrip("\n").rsplit("\n", 1)[-1]


def check_shapes():
    for shape, hosts, routers in (("line,3", 3, 3), ("ring,5", 5, 5), ("clos,2,4", 4, 6), ("tree,2,3", 9, 4)):
        expect(f"lab check --topo {shape}", via("lab", "check", "--topo", shape), 0, "")
        p = via("lab", "test", "--topo", shape, "pingall")
        n = hosts * (hosts - 1)
        want = f"pingall: {n} of {n} answered, {hosts} hosts, {routers} routers"
        case(f"lab test --topo {shape} pingall", p.returncode == 0 and last(p) == want, p.stdout, p.stderr)
    p = via("lab", "test", "--topo", "line,3", "pingall")
    case("each host's line is mininet's", p.stdout.startswith("h1 -> h2 h3\nh2 -> h1 h3\nh3 -> h1 h2\n"), p.stdout)
    p = via("-j", "lab", "inspect", "--topo", "clos,2,4")
    nodes = {n["name"]: n for n in json.loads(p.stdout)["nodes"]}
    ways = [r["to"] for r in nodes["leaf1"]["routes"] if r["via"]]
    case("a clos has as many ways as spines", len(nodes) == 10 and max(ways.count(to) for to in ways) == 2, ways)
    expect("a shape that is none", via("lab", "check", "--topo", "lime,3"), 2, "", "did you mean 'line'?")
    expect("a shape's numbers", via("lab", "up", "--topo", "tree,3"), 2, "", "tree,3: it is read as tree,DEPTH,FANOUT")
    expect("a file and a shape", via("lab", "exec", "-t", "x", "--topo", "line,2", "h1", "--", "true"), 2, "", "not both")


def check_tests():
    big = via("lab", "test", "--topo", "tree,3,10", "pingall")
    want = "pingall: 10000 of 10000 answered, 1000 hosts, 111 routers"
    case("tree,3,10: 1,111 nodes answer", big.returncode == 0 and last(big) == want, big.stdout, big.stderr)
    broken = os.path.join(work, "broken.yaml")
    with open(broken, "w") as f:
        f.write("name: broken\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}, c: {kind: host}, r: {kind: router}}\n  links:\n"
                '    - endpoints: ["a:1", "r:1"]\n    - endpoints: ["b:1", "r:2"]\n'
                '    - {endpoints: ["c:1", "r:3"], impairments: {loss: 100%}}\n')
    p = via("lab", "test", "-t", broken, "pingall")
    case("who does not answer is an X, and 1", p.returncode == 1 and p.stdout == "a -> b X\nb -> a X\nc -> X X\n"
         "pingall: 2 of 6 answered, 3 hosts, 1 routers\n", p.stdout, p.stderr)
    expect("without impairments they answer", via("lab", "test", "--no-impairments", "-t", broken, "pingall"), 0, "6 of 6")
    p = via("-j", "lab", "test", "-t", broken, "pingall")
    o = json.loads(p.stdout)
    want = {"from": "a", "to": ["b", "c"], "silent": ["c"]}
    case("-j tells each", p.returncode == 1 and o["answered"] == 2 and o["results"][0] == want, o)
    expect("an unknown test names the nearest", via("lab", "test", "--topo", "line,2", "pingal"), 2, "", "did you mean 'pingall'?")
    expect("all links impaired", via("lab", "test", "--topo", "line,2", "--link", "loss=100%", "pingall"), 1, "0 of 2 answered")
    expect("impaired by a word that is none", via("lab", "up", "--topo", "line,2", "--link", "los=1%"), 2, "", "did you mean 'loss'?")
    expect("for a time", via("lab", "up", "--topo", "line,2", "--until", "0.2"), 0, "lab line-2 is up\n")
    expect("paced by the clock", via("lab", "test", "--speed", "1", "--topo", "ring,3", "pingall"), 0, "6 of 6")
    expect("no lab is named", via("lab", "test", "pingall"), 2, "", "usage: via lab test")


def check_ipv6():
    file = os.path.join(SRC, "examples", "dual-stack.yaml")
    for where, hosts, routers in (("-t", file), 3, 4), (("--topo", "ring,5"), 5, 5):
        p = via("-6", "lab", "test", *where, "pingall")
        n = hosts * (hosts - 1)
        want = f"pingall: {n} of {n} answered, {hosts} hosts, {routers} routers"
        case(f"-6 lab test {where[0]} pingall", p.returncode == 0 and last(p) == want, p.stdout, p.stderr)
    p = via("-j", "-6", "-n", "web", "addr", "--topology", file)
    own = [a for f in json.loads(p.stdout) for a in f["addr_info"] if a["scope"] == "global"]
    good = len(own) == 1 and own[0]["family"] == "inet6" and own[0]["local"].startswith("2001:db8:0:6:") and own[0]["prefixlen"] == 64
    case("a host has made its address", good, p.stdout)
    web = own[0]["local"]
    p = via("-6", "-n", "web", "addr", "--topology", file)
    case("and it is told as ip tells one", re.search(re.escape(web) + r"/64 scope global dynamic stable-privacy \n"
                                                     r" {7}valid_lft 259\d{4}sec preferred_lft 604\d{3}sec\n", p.stdout), p.stdout)
    expect("ping -6 by name", via("-n", "ann", "ping", "-6", "-c", "3", "--topology", file, "web"), 0, f"PING web ({web})")
    p = via("-j", "-n", "ann", "trace", "-6", "--topology", file, "web")
    names = [[a["name"] for a in h["addresses"]] for h in json.loads(p.stdout)["hops"]]
    case("trace -6 names the routers", p.returncode == 0 and names[0] == ["r1"] and names[-1] == ["web"] and len(names) == 4, names)
    p = via("-6", "-n", "r1", "route", "--topology", file)
    case("route -6", "2001:db8:0:1::/64 dev eth1 proto kernel" in p.stdout and "nexthop via 2001:db8:0:2::2 dev eth2" in p.stdout
         and " src " not in p.stdout and "10." not in p.stdout, p.stdout)
    p = via("-n", "r1", "route", "--topology", file)
    case("route shows IPv4 with its source", "scope link src 10.0.1.3" in p.stdout and ":" not in p.stdout, p.stdout)


def check_running():
    expect("lab up --topo", via("lab", "up", "-d", "--topo", "ring,4"), 0, "lab ring-4 is up\n")
    p = via("lab", "test", "ring-4", "pingall")
    want = "pingall: 12 of 12 answered, 4 hosts, 4 routers"
    case("a lab that is up is tested", p.returncode == 0 and last(p) == want, p.stdout, p.stderr)
    expect("of it --seed means nothing", via("lab", "test", "--seed", "1", "ring-4", "pingall"), 2, "", "--seed")
    p = via("-q", "lab", "exec", "ring-4", "h1", "--", "python3", "-c", "import socket; print(socket.gethostbyname('h3.lab'))")
    case("a program runs on a host of it", p.returncode == 0 and p.stdout.startswith("10."), p.stdout, p.stderr)
    check_ping_running()
    check_link_and_graph()
    check_ip()
    expect("lab down", via("lab", "down", "ring-4"), 0, "lab ring-4 is down\n")
    expect("then it is not there", via("lab", "test", "ring-4", "pingall"), 1, "", "no lab named 'ring-4' is running")


PING = re.compile(r"PING h3 \(10\.0\.5\.2\) 56\(84\) bytes of data\.\n"
                  r"64 bytes from 10\.0\.5\.2: icmp_seq=1 ttl=61 time=[\d.]+ ms\n"
                  r"64 bytes from 10\.0\.5\.2: icmp_seq=2 ttl=61 time=[\d.]+ ms\n\n"
                  r"--- h3 ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time \d+ms\n"
                  r"rtt min/avg/max/mdev = [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms\n")


def check_ping():
    own = ["-n", "h1", "ping", "--topo", "line,3"]
    p = via(*own, "-c", "2", "h3")
    case("ping prints as iputils", p.returncode == 0 and PING.fullmatch(p.stdout), p.stdout, p.stderr)
    p = via(*own, "-c", "1", "-t", "2", "h3")
    case("an error names its sender, and 1", p.returncode == 1 and "From 10.0.2.2 icmp_seq=1 Time to live exceeded\n" in p.stdout
         and "1 packets transmitted, 0 received, +1 errors, 100% packet loss" in p.stdout, p.stdout, p.stderr)
    p = via(*own, "-c", "1", "-M", "do", "-s", "1473", "h3")
    case("what is too long for our own link", p.returncode == 1 and "ping: sendmsg: Message too long\n" in p.stdout, p.stdout, p.stderr)
    o = json.loads(via("-j", *own, "-c", "3", "-i", "0.2", "10.0.5.2").stdout)
    case("ping -j", o["received"] == 3 and o["time_ms"] == 400 and [e.get("seq") for e in o["events"]] == [None, 1, 2, 3], o)
    expect("-q says only the sums", via("-q", *own, "-c", "1", "h3"), 0, "bytes of data.\n\n--- h3")
    expect("a name that is none", via(*own, "h9"), 2, "", "h9: no such name or address in lab 'line-3'")
    expect("a node that is none", via("-n", "h9", *own[2:], "h3"), 2, "", "no host or router named 'h9'")
    expect("words of the wrong kind", via(*own, "-c", "x", "h3"), 2, "", "-c wants a number")
    expect("without a lab, and none is up", via("-n", "h1", "ping", "h3"), 2, "", "no lab is up")
    p = via("ping", "--link", "delay=20ms", "--host-loopback", "10.0.2.2", "-c", "2", "-i", "0.1", "10.0.2.2")
    times = [float(t) for t in re.findall(r"icmp_seq=\d [^\n]*time=([\d.]+) ms", p.stdout)]
    case("from behind the gateway", (p.returncode == 0 and len(times) == 2 and min(times) >= 40) or "Packet filtered" in p.stdout,
         p.stdout, p.stderr)


def check_trace():
    want = ("traceroute to h3 (10.0.5.2), 30 hops max, 60 byte packets\n 1  r1 (10.0.1.1)  T  T  T\n 2  r2 (10.0.2.2)  T  T  T\n"
            " 3  r3 (10.0.4.2)  T  T  T\n 4  h3 (10.0.5.2)  T  T  T\n")
    for kind in ("-U", "-I", "-T"):
        p = via("-n", "h1", "trace", kind, "--topo", "line,3", "h3")
        hops = re.sub(r"[\d.]+ ms", "T", p.stdout)
        case(f"trace {kind} prints as traceroute", p.returncode == 0 and hops == want, p.stdout, p.stderr)
    p = via("-n", "home", "trace", "-I", "-q", "10", "--topology", os.path.join(SRC, "examples", "internet.yaml"), "sina")
    case("a way of the demo's internet", p.returncode == 0 and ("r2 (10.0.2.2)" in p.stdout or "r3 (10.0.4.2)" in p.stdout), p.stdout)
    p = via("-n", "h1", "trace", "--report", "-c", "5", "--topo", "line,2", "h2")
    rows = [r.split() for r in p.stdout.splitlines()]
    case("--report prints as mtr", p.returncode == 0 and rows[0][:4] == ["HOST:", "h1", "Loss%", "Snt"]
         and [r[:4] for r in rows[1:]] == [[f"{i}.|--", n, "0.0%", "5"] for i, n in enumerate(("r1", "r2", "h2"), 1)], p.stdout)
    p = via("-n", "h1", "trace", "-n", "--topo", "line,2", "10.99.0.1")
    case("a way that ends says why, and 1", p.returncode == 1 and "!N" in p.stdout and "r1" not in p.stdout, p.stdout, p.stderr)
    o = json.loads(via("-j", "-n", "h1", "trace", "--topo", "line,2", "h2").stdout)
    case("trace -j", o["reached"] and [h["addresses"][0]["name"] for h in o["hops"]] == ["r1", "r2", "h2"], o)


def check_link_and_graph():
    p = via("lab", "graph", "--topo", "line,2")
    case("lab graph is DOT", p.returncode == 0 and p.stdout.startswith('graph "line-2" {\n') and p.stdout.endswith("}\n")
         and '  "r1" -- "r2" [taillabel="10.0.2.1/24", headlabel="10.0.2.2/24", label=""];\n' in p.stdout, p.stdout, p.stderr)
    hops = lambda: re.findall(r"(r\d) \(", via("-n", "h1", "trace", "-q", "1", "h2").stdout)
    case("the short way", (got := hops()) == ["r1", "r2"], got)
    expect("lab link down", via("lab", "link", "ring-4", "r1-r2", "down"), 0, "", "")
    case("the long way", (got := hops()) == ["r1", "r4", "r3", "r2"], got)
    case("the graph shows it", "style=dotted" in via("lab", "graph", "ring-4").stdout)
    expect("lab link up, and slow", via("lab", "link", "ring-4", "r1-r2", "up", "delay=15ms,jitter=0ms"), 0, "", "")
    p = via("-j", "-n", "h1", "ping", "-c2", "-i0.1", "h2")
    case("its delay is there at once", p.returncode == 0 and json.loads(p.stdout)["min_us"] == 30000, p.stdout, p.stderr)
    expect("lab link clean", via("lab", "link", "ring-4", "r2-r1", "clean"), 0, "", "")
    expect("a link that is none", via("lab", "link", "ring-4", "r1-r3", "down"), 2, "", "has no link 'r1-r3'")
    expect("an impairment that is none", via("lab", "link", "ring-4", "r1-r2", "los=1%"), 2, "", "did you mean 'loss'?")


def kernel(*args):
    """What the real ip says of its own loopback; None without it."""
    try:
        return json.loads(subprocess.run(["ip", "-j", *args], stdout=subprocess.PIPE, text=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def check_ip():
    for words, ours in ((["-s", "link", "show", "lo"], ["link", "-s", "show", "lo"]), (["addr", "show", "lo"], ["addr", "show", "lo"])):
        theirs, o = kernel(*words), json.loads(via("-j", "-n", "h1", *ours).stdout)
        case(f"{ours[0]} -j has the keys of ip -j", theirs is None or (len(o) == 1 and list(o[0]) == list(theirs[0])), o, theirs)
        for key in ("addr_info", "stats64") if theirs else ():
            if key in theirs[0]:
                a, b = (x[key][0] if key == "addr_info" else x[key]["rx"] for x in (o[0], theirs[0]))
                case(f"{ours[0]} -j: {key} too", list(a) == list(b), a, b)
    p = via("-n", "r1", "link", "-s", "dev", "eth1")
    case("link prints as ip link", re.match(r"2: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc \S+ state UP mode DEFAULT "
         r"group default qlen 1000\n    link/ether ([0-9a-f]{2}:?){6} brd ff:ff:ff:ff:ff:ff\n"
         r"    RX: +bytes packets errors dropped  missed   mcast\n +\d+ +[1-9]\d* +0 +0 +0 +0\n"
         r"    TX: +bytes packets errors dropped carrier collsns\n", p.stdout), p.stdout, p.stderr)
    case("and what was dropped", "dropped by r1:\n" in p.stdout and " ip.ttl: " in p.stdout, p.stdout)
    p = via("-n", "h1", "addr", "show", "dev", "eth1")
    want = "\n    inet 10.0.1.2/24 brd 10.0.1.255 scope global eth1\n       valid_lft forever preferred_lft forever\n"
    case("addr prints as ip addr", want in p.stdout, p.stdout, p.stderr)
    p = via("-n", "h1", "route")
    lines = sorted(p.stdout.splitlines())
    want = ["10.0.1.0/24 dev eth1 proto kernel scope link src 10.0.1.2 ", "default via 10.0.1.1 dev eth1 "]
    case("route prints as ip route", lines == want, p.stdout, p.stderr)
    o = json.loads(via("-j", "-n", "leaf1", "route", "--topo", "clos,3,2").stdout)
    hops = [len(r["nexthops"]) for r in o if "nexthops" in r]
    case("equal ways are nexthops of one route", hops == [3], o)
    p = via("-n", "h1", "neigh")
    want = r"10\.0\.1\.1 dev eth1 lladdr ([0-9a-f]{2}:?){6} (REACHABLE|STALE|DELAY|PROBE)\n"
    case("neigh prints as ip neigh", re.fullmatch(want, p.stdout), p.stdout, p.stderr)
    expect("an interface that is none", via("-n", "h1", "link", "show", "eth7"), 1, "", 'Device "eth7" does not exist.')
    expect("a node that is none", via("-n", "h7", "addr"), 2, "", "has no node 'h7'")


def check_ping_running():
    p = via("-n", "h1", "ping", "-c", "2", "-i", "0.1", "h3")
    case("ping in a lab that is up", p.returncode == 0 and p.stdout.count(" bytes from ") == 2, p.stdout, p.stderr)
    p = subprocess.Popen([VIA, "-n", "ring-4:h1", "ping", "h3"], stdout=subprocess.PIPE, text=True, env=env)
    p.stdout.readline(), p.stdout.readline()
    p.send_signal(signal.SIGINT)
    rest = p.communicate(timeout=10)[0]
    case("^C ends it with its sums", p.returncode == 0 and "packets transmitted" in rest, rest)
    expect("trace in a lab that is up", via("-n", "h1", "trace", "h2"), 0, " 3  h2 (")


PEER = ("import socket\ns = socket.socket(); s.bind(('', 5000)); s.listen(); print('up', flush=True)\n"
        "c, a = s.accept(); print(a[0], flush=True); c.sendall(b'hello'); c.close()")


def check_nat():
    home = os.path.join(SRC, "examples", "home-nat.yaml")
    p = via("-n", "gate", "nat", "--topology", home)
    case("nat prints as iptables-save -c", p.returncode == 0 and p.stdout == "[0:0] -A POSTROUTING -o eth2 -j MASQUERADE\n"
         "[0:0] -A PREROUTING -i eth2 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.168.1.20:80\n", p.stdout, p.stderr)
    expect("filter of a node that is none", via("-n", "gat", "filter", "--topology", home), 2, "", "did you mean 'gate'?")
    expect("lab up: a home behind a NAT", via("lab", "up", "-d", "-t", home), 0, "lab home-nat is up\n")
    curl = lambda node, url: via("-q", "lab", "exec", "home-nat", node, "--", "curl", "-q", "-sS", "-m", "2", url)
    with open(os.path.join(SRC, "examples", "www", "small-1.txt")) as f:
        page = f.read()
    expect("curl from inside", curl("desk", "http://web.lab/small-1.txt"), 0, page)
    expect("curl from outside to the forwarded port", curl("stranger", "http://203.0.113.2:8080/small-1.txt"), 0, page)
    expect("curl from outside to any other", curl("stranger", "http://203.0.113.2/"), 28, "")
    server = subprocess.Popen([VIA, "-q", "lab", "exec", "home-nat", "web", "--", "python3", "-c", PEER], stdout=subprocess.PIPE,
                              text=True, env=env)
    server.stdout.readline()
    code = "import socket; print(socket.create_connection(('web.lab', 5000)).recv(9))"
    expect("a program inside", via("-q", "lab", "exec", "home-nat", "phone", "--", "python3", "-c", code), 0, "b'hello'\n")
    case("the server outside sees the router's address", (peer := server.communicate(timeout=10)[0]) == "203.0.113.2\n", peer)
    p = via("-n", "gate", "nat")
    case("nat lists connections as conntrack -L", re.search(
        r"^tcp      6 \d+ ESTABLISHED src=192\.168\.1\.1[01] dst=198\.51\.100\.80 sport=\d+ dport=\d+ packets=\d+ bytes=\d+ "
        r"src=198\.51\.100\.80 dst=203\.0\.113\.2 sport=\d+ dport=\d+ packets=\d+ bytes=\d+ SNAT $", p.stdout, re.M), p.stdout)
    o = json.loads(via("-j", "-n", "gate", "filter").stdout)
    counts = {r["rule"]: r["packets"] for r in o["rules"]}
    case("filter -j counts", counts["-P INPUT DROP"] >= 1 and counts["-A FORWARD -i eth1 -j ACCEPT"] >= 2 and
         counts["-A FORWARD -i eth2 -m conntrack --ctstate DNAT -j ACCEPT"] >= 1 and
         {c["nat"] for c in o["connections"]} == {"SNAT", "DNAT"}, o)
    expect("lab down: the home", via("lab", "down", "home-nat"), 0, "lab home-nat is down\n")


def main():
    os.mkdir(os.path.join(work, "run"), 0o700)
    env["XDG_RUNTIME_DIR"] = os.path.join(work, "run")
    try:
        check_shapes()
        check_tests()
        check_ipv6()
        check_ping()
        check_trace()
        check_running()
        check_nat()
    finally:
        for name in via("lab", "ls").stdout.split():
            via("-q", "lab", "down", name)
        shutil.rmtree(work, ignore_errors=True)
    print(f"1..{n_cases}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
