#!/usr/bin/env python3
# timeout: 60
"""dump.py - `via dump` and `via extcap`: frames of a lab while it runs, filtered, as text, JSON and pcapng that tshark reads."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
failed = n_cases = 0
work = tempfile.mkdtemp(prefix="viadump")
env = {**{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}, "XDG_RUNTIME_DIR": work}
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env, "cwd": work}


def case(name, good, *about):
    global n_cases, failed
    n_cases += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {n_cases} - {name}")
    if not good:
        for a in about:
            print("# " + str(a)[:800].replace("\n", "\n# "))
    sys.stdout.flush()


def via(*args):
    return subprocess.run([VIA, *args], timeout=20, **PIPES)


def begin(*args):
    return subprocess.Popen([VIA, *args], **PIPES)


def end(p, ask=True):
    time.sleep(0.3)
    if ask:
        p.terminate()
    out, err = p.communicate(timeout=10)
    return p.returncode, out, err


def check_live():
    text, all_of_it = begin("-n", "h1", "dump", "icmp"), begin("dump", "-w", "all.pcapng")
    lines = begin("-j", "-n", "h2", "dump", "-i", "eth1", "-c", "2", "icmp[icmptype] == icmp-echoreply")
    fifo = os.path.join(work, "fifo")
    os.mkfifo(fifo)
    shark = begin("extcap", "--capture", "--extcap-interface", "line-3:h1:eth1", "--fifo", fifo, "--extcap-capture-filter", "icmp")
    with open(fifo, "rb") as f:
        time.sleep(0.7)
        case("ping", via("-n", "h1", "ping", "-c", "3", "-i", "0.05", "h2.lab").returncode == 0)
        status, out, err = end(text)
        rows = out.splitlines()
        case("text of one node, both ways, with the filter", status == 0 and len(rows) == 6 and
             sum(" h1:eth1 IP 10.0.1.2 > " in r and ": ICMP echo request, id " in r for r in rows) == 3 and
             sum(": ICMP echo reply, id " in r and " h1:eth1 " not in r for r in rows) == 3, status, out, err)
        status, out, err = end(lines, False)
        rows = [json.loads(r) for r in out.splitlines()]
        good = status == 0 and len(rows) == 2 and all("echo reply" in r["frame"] for r in rows)
        case("-c ends it; -j is an object a line", good, out, err)
        status, _, err = end(all_of_it)
        n = subprocess.run(["tshark", "-n", "-r", "all.pcapng", "-Y", "icmp"], timeout=20, **PIPES).stdout.count("\n")
        back = via("dump", "-r", "all.pcapng", "icmp").stdout.count("\n")
        links = len({r.split()[1] for r in via("dump", "-r", "all.pcapng").stdout.splitlines()})
        case("-w: pcapng of all links, read by tshark and by -r", status == 0 and n == back > 6 and links > 4, status, n, back, links, err)
        status, out, err = end(shark)
        got = f.read()
    with open(os.path.join(work, "shark.pcapng"), "wb") as f:
        f.write(got)
    n = subprocess.run(["tshark", "-n", "-r", "shark.pcapng"], timeout=20, **PIPES).stdout.count("ICMP")
    case("extcap: pcapng into Wireshark's fifo", status == 0 and n == 6, status, n, err)


def main():
    try:
        case("a lab is up", via("lab", "up", "--topo", "line,3", "-d").returncode == 0)
        p = via("extcap", "--extcap-interfaces", "--extcap-version=4.0")
        case("extcap: its interfaces are listed", "interface {value=line-3:h1:eth1}{display=" in p.stdout, p.stdout, p.stderr)
        p = via("extcap", "--extcap-dlts", "--extcap-interface", "line-3:h1:eth1")
        case("extcap: they are Ethernet", p.stdout == "dlt {number=1}{name=EN10MB}{display=Ethernet}\n", p.stdout)
        check_live()
        for words, said in ((["-n", "h1", "dump", "tcp", "prot"], "filter 'tcp prot'"), (["-n", "h9", "dump"], "no interface 'h9'"),
                            (["dump", "-r", "/nonexistent/x"], "No such file"), (["dump", "-i", "eth1"], "of which node?")):
            p = via(*words)
            case(f"{' '.join(words)}: 2 and a sentence", p.returncode == 2 and said in p.stderr, p.returncode, p.stderr)
        rows = via("dump", "-r", "all.pcapng", "icmp").stdout.splitlines()
        for words, names in ((["-n", "r1"], "r1:"), (["-n", "h1"], "h1:eth1 "), (["-n", "r1", "-i", "eth1"], "r1:eth1 ")):
            p = via(*words[:2], "dump", "-r", "all.pcapng", *words[2:], "icmp")
            want = [r for r in rows if " " + names in r]
            case(f"{' '.join(words)} of a file: what left it", p.stdout.splitlines() == want and want, p.stdout, p.stderr)
        p = subprocess.run(["sh", "-c", '"$0" -q dump -r all.pcapng | true', VIA], timeout=20, **PIPES)
        case("a reader that has seen enough is no error to tell", p.stderr == "", p.stderr)
        p = via("-n", "h8", "dump", "-r", "all.pcapng")
        case("a node that the file does not have: 2", p.returncode == 2 and "no interface h8" in p.stderr, p.returncode, p.stderr)
        with open(os.path.join(work, "cut.pcapng"), "wb") as f:
            f.write(open(os.path.join(work, "all.pcapng"), "rb").read()[:-3])
        p = via("dump", "-r", "cut.pcapng")
        case("a file that is cut off is told, after what is there", p.returncode == 1 and "cut off" in p.stderr and p.stdout, p.stderr)
        dump = begin("-n", "h1", "dump")
        time.sleep(0.5)
        case("the lab goes down", via("lab", "down", "line-3").returncode == 0)
        case("and the dump ends well", end(dump, False)[0] == 0)
    finally:
        via("lab", "down", "line-3")
        shutil.rmtree(work, ignore_errors=True)
    print(f"1..{n_cases}")
    return 1 if failed else 0


sys.exit(main())
