#!/usr/bin/env python3
# timeout: 100
"""lab.py - the command as its user meets it: help and words, JSON everywhere, labs that come and go, signals, exit status.

Programs run on nodes of a private lab (-t FILE) and of a running one (NAME); both must behave alike, and like running the
program without via: its exit status, signals, standard input, folder, environment, arguments of any bytes.
"""
import glob
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
NOBODY = 65534
LAB = """name: {name}
topology:
  nodes:
    a: {{kind: host, services: {{echo: {{}}, http: {{root: www}}}}}}
    b: {{kind: host}}
    r: {{kind: router}}
  links:
    - endpoints: ["a:eth1", "r:eth1"]
    - endpoints: ["r:eth2", "b:eth1"]
"""
failed = n_cases = 0
work = tempfile.mkdtemp(prefix="vialab")
env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


def case(name, good, *about):
    global n_cases, failed
    n_cases += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {n_cases} - {name}")
    if not good:
        for a in about:
            print("# " + str(a)[:600].replace("\n", "\n# "))
    sys.stdout.flush()


def via(*args, timeout=20, **more):
    """Run to the end; .returncode, .stdout, .stderr (bytes unless text=False is given)."""
    more.setdefault("text", True)
    if "input" not in more:
        more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("env", env)
    try:
        return subprocess.run([VIA, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **more)
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(args, "timeout", e.stdout, e.stderr)


def expect(name, p, status, out=None, err=None):
    good = p.returncode == status and (out is None or p.stdout == out) and (err is None or err in p.stderr)
    case(name, good, f"status {p.returncode}, wanted {status}", p.stdout, p.stderr)


def parses(name, text, check=lambda o: True):
    try:
        o = json.loads(text)
        case(name, check(o), text)
    except (ValueError, KeyError, TypeError, IndexError) as e:
        case(name, False, e, text)


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def sock(name):
    return os.path.join(work, "run", "viaduct", name + ".sock")


class Started:
    """A `via` that goes on; say() waits for a line of its output."""

    def __init__(self, *args, **more):
        null = subprocess.DEVNULL
        self.p = subprocess.Popen([VIA, *args], stdin=null, stdout=subprocess.PIPE, stderr=null, env=env, **more)

    def line(self, seconds=10):
        if not select.select([self.p.stdout], [], [], seconds)[0]:
            return ""
        return self.p.stdout.readline().decode().strip()

    def end(self, seconds=10):
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            return "timeout"


# --- words ------------------------------------------------------------------------------------------------------------

def check_words(lab):
    p = via("--help")
    commands = ["run", "serve", "lab exec", "lab up", "lab down", "lab ls", "lab check", "lab inspect", "lab test",
                "lab link", "lab graph", "ping", "trace", "link", "addr", "route", "neigh", "nat", "filter"]
    case("--help lists every command", p.returncode == 0 and all(f"\n  {c} " in p.stdout for c in commands), p.stdout)
    expect("--version", via("--version"), 0)
    case("--version is via and a number", via("--version").stdout.startswith("via 0."))
    for c in commands:
        p = via(*c.split(), "--help")
        good = p.returncode == 0 and p.stdout.startswith(f"via {c} - ") and "usage:" in p.stdout and not p.stderr
        case(f"{c} --help", good, p.stdout, p.stderr)
    case("no words print the help, and 2", (p := via()).returncode == 2 and "usage" in p.stdout, p.stdout)
    expect("lab alone says what there is", via("lab"), 2, "", "exec, up, down")
    expect("an unknown command names the nearest", via("lab", "inspct", lab), 2, "", "did you mean 'lab inspect'?")
    expect("an unknown global option names the nearest", via("--jsno", "lab", "ls"), 2, "", "did you mean '--json'?")
    expect("an option that wants an argument says so", via("lab", "exec", "--topology"), 2, "", "--topology needs FILE")
    expect("--seed wants a number", via("lab", "up", "-t", lab, "--seed", "one"), 2, "", "--seed wants a number, not 'one'")
    expect("--www wants a node that serves", via("lab", "up", "-t", lab, "--www", "b=" + work), 2, "", "--www")


def check_examples():
    for f in sorted(glob.glob(os.path.join(SRC, "examples", "**", "*.yaml"), recursive=True)):
        name = os.path.relpath(f, SRC)
        expect(f"{name} checks", via("lab", "check", f), 0, "")
        parses(f"{name} checks, -j", via("-j", "lab", "check", f).stdout, lambda o: o["ok"])
        p = via("lab", "inspect", "-t", f)
        case(f"{name} is shown", p.returncode == 0 and "NODE" in p.stdout and "FROM" in p.stdout, p.stdout, p.stderr)
        parses(f"{name} is shown, -j", via("lab", "inspect", "-j", "-t", f).stdout, lambda o: o["nodes"] and o["links"])


# --- a program on a node ------------------------------------------------------------------------------------------------

def check_program(how, on):
    """`on`: words that lead to node a, of a private or of a running lab."""
    def run(*cmd, **more):
        return via("-q", "lab", "exec", *on, "--", *cmd, **more)
    expect(f"{how}: exit status is passed on", run("sh", "-c", "exit 7"), 7, "")
    expect(f"{how}: death by a signal is 128 + signal", run("sh", "-c", "kill -SEGV $$"), 128 + 11)
    expect(f"{how}: standard input is passed on", run("cat", input="hi\n"), 0, "hi\n")
    big = "0123456789abcdef" * (1 << 16)
    expect(f"{how}: a megabyte through standard input and output", run("cat", input=big), 0, big)
    p = run("sh", "-c", "pwd; echo $MARK", cwd=work, env={**env, "MARK": "here"})
    expect(f"{how}: folder and environment are ours", p, 0, f"{work}\nhere\n")
    odd = b"\xff\xfe \xc3\xa4 ' \" \n"
    p = run("printf", "%s", odd, text=False)
    case(f"{how}: arguments of any bytes", p.stdout == odd, p)
    expect(f"{how}: a question for a name", run("getent", "ahostsv4", "a.lab"), 0)
    p = run("curl", "-q", "-sS", "http://a.lab/")
    expect(f"{how}: curl fetches a page of a node", p, 0, "a page\n")
    expect(f"{how}: a name that does not exist", run("curl", "-q", "-sS", "http://nowhere.lab/"), 6)
    p = via("-j", "lab", "exec", *on, "--", "curl", "-q", "-sS", "-o", "/dev/null", "http://a.lab/")
    parses(f"{how}: the summary as JSON", p.stderr,
           lambda o: o["sockets"]["taken"] >= 1 and o["bytes"]["received"] > 0 and o["connects"] >= 1)
    p = via("lab", "exec", *on, "--", "true")
    good = p.stdout == "" and p.stderr.count("\n") == 1 and p.stderr.startswith("via: ")
    case(f"{how}: the summary is one line on stderr", good, p.stderr)
    p = via("-q", "lab", "exec", "--report", *on, "--", "true")
    good = "sockets taken" in p.stderr and "UNIX" in p.stderr and p.stderr.count("\n") > 5
    case(f"{how}: --report speaks even under -q", good, p.stderr)


def check_signals(how, on):
    for signo in (signal.SIGINT, signal.SIGTERM):
        s = Started("-q", "lab", "exec", *on, "--", "sh", "-c", "trap - INT; echo go; exec sleep 30")
        s.line()
        s.p.send_signal(signo)
        case(f"{how}: {signo.name} is passed on: {128 + signo}", (got := s.end()) == 128 + signo, f"status {got}")
    code = ("import signal, sys, time\nfor s in (2, 15): signal.signal(s, lambda n, f: sys.exit(50 + n))\n"
            "print('go', flush=True)\ntime.sleep(30)")
    for signo in (signal.SIGINT, signal.SIGTERM):
        s = Started("-q", "lab", "exec", *on, "--", "python3", "-c", code)
        s.line()
        s.p.send_signal(signo)
        case(f"{how}: a program that handles {signo.name} ends as it likes", (got := s.end()) == 50 + signo, f"status {got}")


COUNTING = """
import os, signal, sys, time
n = 0
def more(s, f):
    global n
    n += 1
signal.signal(signal.SIGINT, more)
print("go", flush=True)
end = time.monotonic() + 20
while not n and time.monotonic() < end:
    time.sleep(0.05)
time.sleep(0.5)
sys.exit(60 + n)
"""


def check_terminal(how, on):
    """^C at a terminal: the program gets it once."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(VIA, [VIA, "-q", "lab", "exec", *on, "--", "python3", "-c", COUNTING], env)
    seen = b""
    end = time.monotonic() + 15
    while b"go" not in seen and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                seen += os.read(fd, 1000)
            except OSError:
                break
    os.write(fd, b"\x03")
    status = None
    end = time.monotonic() + 15
    while status is None and time.monotonic() < end:
        if select.select([fd], [], [], 0.05)[0]:
            try:
                os.read(fd, 1000)
            except OSError:
                pass
        got, code = os.waitpid(pid, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if got else None
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os.close(fd)
    case(f"{how}: ^C at a terminal reaches the program once", status == 61, f"status {status}, 60 + times", seen)


# --- labs ---------------------------------------------------------------------------------------------------------------

def check_up_and_down(lab):
    s = Started("lab", "up", "-t", lab)
    case("lab up says when it is ready", (line := s.line()) == "lab first is up", line)
    folder = os.path.dirname(sock("first"))
    case("its socket is there, for us alone", os.path.exists(sock("first")) and os.stat(folder).st_mode & 0o777 == 0o700)
    expect("the same name twice is refused", via("lab", "up", "-t", lab), 1, "", "already up")
    expect("and in the background too", via("lab", "up", "-d", "-t", lab), 1, "", "already up")
    s.p.send_signal(signal.SIGINT)
    case("^C ends lab up with 0", (got := s.end()) == 0, f"status {got}")
    case("and its socket is gone", not os.path.exists(sock("first")))
    s = Started("lab", "up", "-t", lab)
    s.line()
    s.p.kill()
    s.end()
    case("a killed lab leaves a socket", os.path.exists(sock("first")))
    expect("which lab ls does not take for a lab", via("lab", "ls"), 0, "")
    p = via("lab", "up", "-d", "-t", lab)
    expect("and which the next one replaces; its output's end is not held up", p, 0, "lab first is up\n", "")


def check_two_labs(second):
    p = via("-j", "lab", "up", "-d", "-t", second)
    parses("a second lab beside it, -j", p.stdout, lambda o: o == {"lab": "second", "state": "up"})
    expect("lab ls lists both", via("lab", "ls"), 0)
    case("each once", sorted(via("lab", "ls").stdout.split()) == ["first", "second"])
    parses("lab ls -j", via("lab", "ls", "-j").stdout, lambda o: sorted(o) == ["first", "second"])
    p = via("lab", "inspect", "first")
    case("lab inspect shows a running lab", p.returncode == 0 and "a    host" in p.stdout, p.stdout)
    p = via("-j", "lab", "inspect", "second")
    parses("lab inspect -j NAME", p.stdout, lambda o: o["name"] == "second" and len(o["nodes"]) == 3)
    p = via("lab", "exec", "--seed", "3", "first", "a", "--", "true")
    expect("options of a private lab are refused for a running one", p, 2, "", "--seed")


def check_joined_ends(lab):
    """Programs of a running lab end with whoever started them, and with the lab."""
    s = Started("-q", "lab", "exec", "second", "a", "--", "sh", "-c", "echo $$; exec sleep 60")
    pid = int(s.line() or 0)
    s.p.kill()
    s.end()
    case("a program ends when the via that joined it is killed", pid and until(lambda: not os.path.exists(f"/proc/{pid}")), pid)
    s = Started("-q", "lab", "exec", "second", "a", "--", "sh", "-c", "trap '' HUP TERM; echo $$; while :; do sleep 0.1; done")
    pid = int(s.line() or 0)
    s.p.kill()
    s.end()
    case("even one that minds no SIGHUP", pid and until(lambda: not os.path.exists(f"/proc/{pid}")), pid)
    s = Started("-q", "lab", "exec", "second", "a", "--", "sh", "-c", "echo $$; exec sleep 60")
    pid = int(s.line() or 0)
    p = via("lab", "down", "second", "-j")
    parses("lab down -j", p.stdout, lambda o: o == {"lab": "second", "state": "down"})
    case("lab down ends its programs", pid and until(lambda: not os.path.exists(f"/proc/{pid}")), pid)
    case("by SIGTERM, as whoever joined them learns", (got := s.end()) == 143, f"status {got}")
    expect("lab down of a lab that is not", via("lab", "down", "second"), 1, "", "no lab named 'second' is running")


def check_two_programs():
    """Two programs on two nodes of one running lab talk to each other."""
    code = ("import socket; s = socket.create_server(('', 5000)); print('go')\n"
            "c, a = s.accept(); c.sendall(c.recv(99).upper()); print(a[0])")
    server = Started("-q", "lab", "exec", "first", "b", "--", "python3", "-u", "-c", code)
    server.line()
    code = ("import socket; c = socket.create_connection(('b.lab', 5000))\n"
            "c.sendall(b'through the router'); print(c.recv(99).decode())")
    p = via("-q", "lab", "exec", "first", "a", "--", "python3", "-c", code)
    expect("a server on b serves a client on a", p, 0, "THROUGH THE ROUTER\n")
    case("and sees a's address", server.line() == "10.0.1.1")
    case("and ends with 0", server.end() == 0)


def check_ordinary_uid():
    """No root, no home, no runtime folder: in a copy that others may read."""
    copy = os.path.join(work, "copy")
    os.mkdir(copy)
    shutil.copy(VIA, os.path.join(copy, "via"))
    shutil.copytree(os.path.join(SRC, "examples"), os.path.join(copy, "examples"))
    subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
    as_uid = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
    bare = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    with open(os.path.join(SRC, "examples", "www", "index.html")) as f:
        page = f.read()

    def run(*args):
        return subprocess.run([*as_uid, os.path.join(copy, "via"), "-q", "lab", *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, env=bare, cwd=copy)
    topology = os.path.join(copy, "examples", "internet.yaml")
    fetch = ["home", "--", "curl", "-q", "-sS", "http://sina.lab/"]
    expect("an ordinary uid with no home: curl fetches the page", run("exec", "-t", topology, *fetch), 0, page)
    name = f"ordinary{os.getpid()}"
    with open(os.path.join(copy, "examples", "internet.yaml")) as f:
        text = f.read().replace("name: internet", f"name: {name}")
    topology = os.path.join(copy, "examples", "ordinary.yaml")
    with open(topology, "w") as f:
        f.write(text)
    os.chmod(topology, 0o644)
    expect("an ordinary uid: lab up -d", run("up", "-d", "-t", topology), 0, f"lab {name} is up\n")
    expect("an ordinary uid: joins it", run("exec", name, *fetch), 0, page)
    expect("an ordinary uid: lab down", run("down", name), 0)
    case("and nothing of it is left", not os.path.exists(f"/tmp/viaduct-{os.getuid() if not as_uid else NOBODY}/{name}.sock"))


def check_nothing_left():
    left = subprocess.run(["pgrep", "-af", work], stdout=subprocess.PIPE, text=True).stdout.strip()
    mine = [line for line in left.splitlines() if line and int(line.split()[0]) != os.getpid()]
    case("nothing is left running", not mine, *mine)
    case("no socket is left", glob.glob(os.path.join(work, "run", "viaduct", "*")) == [])


def check_closed_streams(kind, where):
    """A standard stream that is closed must not become a socket of ours in the program."""
    names = "import os; print(*(os.readlink(f'/proc/self/fd/{n}') if os.path.exists(f'/proc/self/fd/{n}') else '-' for n in range(3)))"
    command = " ".join([VIA, "-q lab exec", *where, "--", sys.executable, "-c", '"$0"'])
    for closed, stream in (("<&-", 0), ("2>&-", 2)):
        p = subprocess.run(["sh", "-c", f"{command} {closed}", names], stdout=subprocess.PIPE, text=True, env=env, timeout=20)
        seen = (p.stdout.split() + ["", "", ""])[stream]
        case(f"{kind}: a closed stream {stream} stays no socket", p.returncode == 0 and seen in ("-", "/dev/null"), p.stdout)


BURST = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(140):
    s.sendto(bytes(1000), ('10.0.1.99', 9))
"""


def check_drops(private, running):
    """140 datagrams at once to a neighbour that is not there: 104 wait for ARP, 36 are dropped, and that is told."""
    p = via("lab", "inspect", "-t", private)
    case("no table of drops when nothing was dropped", "DROPPED" not in p.stdout, p.stdout)
    want = ["a", "36", "arp.queue_full:"]
    told = lambda text: any(line.split()[:3] == want for line in text.splitlines())
    file = os.path.join(work, "drops.json")
    expect("a burst to nobody", via("-q", "lab", "exec", "-t", private, "--story", file, "a", "--", "python3", "-c", BURST), 0)
    with open(file) as f:
        parses("the story has the drops", f.read(), lambda o: {"node": "a", "name": "arp.queue_full", "count": 36} in o["drops"])
    p = via("lab", "story", file)
    case("lab story tells them, and nothing of connections that were not", told(p.stdout) and "CLIENT" not in p.stdout, p.stdout)
    expect("a burst in a running lab", via("-q", "lab", "exec", running, "a", "--", "python3", "-c", BURST), 0)
    parses("lab inspect -j has the drops", via("-j", "lab", "inspect", running).stdout,
           lambda o: o["nodes"][0]["drops"]["arp.queue_full"] == 36)
    p = via("lab", "inspect", running)
    case("lab inspect shows them in a table", told(p.stdout), p.stdout)


def check_failed_writes(private):
    with open("/dev/full", "w", encoding="utf-8") as full:
        p = subprocess.run([VIA, "lab", "inspect", "-t", private], stdout=full, stderr=subprocess.PIPE, text=True, env=env, timeout=20)
    case("output that cannot be written is told", p.returncode == 1 and "cannot write" in p.stderr, p.returncode, p.stderr)
    p = via("lab", "exec", "-t", private, "--story", "/nowhere/x.json", "b", "--", "echo", "ran")
    expect("a story that cannot be written is told before the program runs", p, 2, "", "cannot write /nowhere/x.json")


def main():
    os.chmod(work, 0o755)
    os.mkdir(os.path.join(work, "run"), 0o700)
    os.mkdir(os.path.join(work, "www"))
    with open(os.path.join(work, "www", "index.html"), "w") as f:
        f.write("a page\n")
    labs = {}
    for name in ("first", "second", "private"):
        labs[name] = os.path.join(work, name + ".yaml")
        with open(labs[name], "w") as f:
            f.write(LAB.format(name=name))
    env["XDG_RUNTIME_DIR"] = os.path.join(work, "run")
    try:
        check_words(labs["first"])
        check_examples()
        private = ["-t", labs["private"], "b"]
        check_program("private lab", private)
        check_signals("private lab", private)
        check_terminal("private lab", private)
        check_closed_streams("private lab", private)
        check_failed_writes(labs["private"])
        check_up_and_down(labs["first"])
        check_two_labs(labs["second"])
        running = ["first", "b"]
        check_program("running lab", running)
        check_signals("running lab", running)
        check_terminal("running lab", running)
        check_closed_streams("running lab", running)
        check_two_programs()
        check_drops(labs["private"], "first")
        check_joined_ends(labs["second"])
        expect("lab down", via("lab", "down", "first"), 0, "lab first is down\n", "")
        check_ordinary_uid()
        check_nothing_left()
    finally:
        for name in ("first", "second"):
            if os.path.exists(sock(name)):
                via("-q", "lab", "down", name)
        shutil.rmtree(work, ignore_errors=True)
    print(f"1..{n_cases}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
