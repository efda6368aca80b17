#!/usr/bin/env python3
"""tap.py LOGDIR - run tests that print TAP, show progress, count single cases.

Reads jobs from standard input, one a line: group, name, time limit in seconds, mode (p: beside others, s: alone), command,
separated by tabs. Each program's output goes to LOGDIR/GROUP-NAME.log. A program that dies, runs into its limit, leaves
its plan incomplete, or skips without a reason counts as one failed case more. Ends with one line
"N passed, N failed" or "N passed, N failed, N skipped"; exit status 1 if anything failed.
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

RESULT = re.compile(r"^(not )?ok\b[ \t]*(\d+)?[ \t]*(?:- ?)?(.*?)(?:[ \t]*#[ \t]*(SKIP)\b[ \t]*(.*))?$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)(?:[ \t]*#[ \t]*SKIP\b[ \t]*(.*))?", re.I)
REASON = re.compile(r"^#[ \t]*SKIP\b[ \t]*(.+)", re.I)
TAIL = 40
WORKERS = min(os.cpu_count() or 1, 8)


class Case:
    def __init__(self, name, state, text=""):
        self.name, self.state, self.text = name, state, text
        self.before, self.after = [], []  # output around the result line


def parse(lines, status, limit):
    """The cases a program's output tells of. status: exit status, negative signal, or None for the time limit."""
    cases, plan, since, reason = [], None, [], ""
    for line in lines:
        if m := PLAN.match(line):
            plan = int(m[1])
            if plan == 0 and m[2]:
                cases.append(Case("all", "skip", m[2]))
            continue
        if m := REASON.match(line):
            reason = m[1]
        if line.startswith("Bail out!"):
            cases.append(Case("bail out", "fail", line))
        m = RESULT.match(line)
        if not m:
            since.append(line)
            if cases and cases[-1].state == "fail":
                cases[-1].after.append(line)
            continue
        name, why = m[3].strip(), (m[5] or "").strip()
        if (m[4] or "").upper() == "SKIP":
            if not name:  # cmocka puts the name where the reason belongs
                name, why = why, reason
            case = Case(name, "skip", why) if why else Case(name, "fail", "skipped without a reason")
        else:
            case = Case(name, "fail" if m[1] else "pass")
        case.before = since[-TAIL:]
        cases.append(case)
        since, reason = [], ""
    for c in cases:
        if c.state == "fail" and not c.text:
            c.text = "\n".join((c.before + c.after)[-TAIL:])
    told = sum(1 for c in cases if c.name != "bail out")
    wrong = None
    if status is None:
        wrong = f"stopped after its time limit of {limit} s"
    elif plan is None:
        wrong = f"printed no plan (exit status {status})"
    elif plan != told and not (plan == 0 and told == 1):
        wrong = f"planned {plan} cases, told of {told} (exit status {status})"
    elif status != 0 and not any(c.state == "fail" for c in cases):
        wrong = f"exit status {status}, though no case failed"
    if wrong:
        cases.append(Case("whole program", "fail", "\n".join(lines[-TAIL:] + [wrong])))
    return cases


class Run:
    def __init__(self, logdir):
        self.logdir, self.lock = logdir, threading.Lock()
        self.cases = []  # (job name, Case)
        self.slowest = []
        self.live = set()
        self.begin = time.monotonic()

    def one(self, group, name, limit, command):
        log = os.path.join(self.logdir, f"{group}-{name}.log")
        begin = time.monotonic()
        with open(log, "wb") as out:
            try:
                p = subprocess.Popen(command.split(), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                     start_new_session=True)
            except OSError as e:
                self.tell(f"{group}/{name}", [Case("whole program", "fail", f"{command}: {e.strerror}")], 0)
                return
            self.live.add(p.pid)
            try:
                status = p.wait(limit)
            except subprocess.TimeoutExpired:
                status = None
            self.end_group(p, status is None)
            self.live.discard(p.pid)
        with open(log, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
        self.tell(f"{group}/{name}", parse(lines, status, limit), time.monotonic() - begin)

    @staticmethod
    def end_group(p, gently_first):
        """End whatever a test left behind in its own session."""
        for sig in ([signal.SIGTERM] if gently_first else []) + [signal.SIGKILL]:
            try:
                os.killpg(p.pid, sig)
            except (ProcessLookupError, PermissionError):
                break
            if sig == signal.SIGTERM:
                try:
                    p.wait(3)
                except subprocess.TimeoutExpired:
                    pass
        p.wait()

    def tell(self, job, cases, seconds):
        n = {s: sum(c.state == s for c in cases) for s in ("pass", "fail", "skip")}
        with self.lock:
            self.cases += [(job, c) for c in cases]
            self.slowest.append((seconds, job))
            extra = "".join(f", {n[s]} {word}" for s, word in (("fail", "FAILED"), ("skip", "skipped")) if n[s])
            print(f"{'FAIL' if n['fail'] else 'ok':4} {job:34} {n['pass']:4} passed{extra}  ({seconds:.1f} s)", flush=True)

    def all(self, jobs):
        """Jobs in order; those that may, side by side."""
        i = 0
        while i < len(jobs):
            k = i
            while k < len(jobs) and jobs[k][3] == jobs[i][3]:
                k += 1
            with ThreadPoolExecutor(WORKERS if jobs[i][3] == "p" else 1) as pool:
                for f in [pool.submit(self.one, g, n, int(t), c) for g, n, t, _, c in jobs[i:k]]:
                    f.result()
            i = k

    def summary(self):
        for title, state in (("Failed", "fail"), ("Skipped", "skip")):
            listed = [(j, c) for j, c in self.cases if c.state == state]
            if listed:
                print(f"\n{title}:")
            for job, c in listed:
                if state == "skip":
                    print(f"  {job}: {c.name}: {c.text}")
                else:
                    print(f"  {job}: {c.name}")
                    print("".join(f"      | {line}\n" for line in c.text.splitlines()), end="")
        n = {s: sum(c.state == s for _, c in self.cases) for s in ("pass", "fail", "skip")}
        slow = ", ".join(f"{j} {s:.0f} s" for s, j in sorted(self.slowest, reverse=True)[:3] if s >= 1)
        print(f"\n{time.monotonic() - self.begin:.0f} s in all" + (f"; slowest: {slow}" if slow else "") + f"; logs: {self.logdir}")
        print(f"{n['pass']} passed, {n['fail']} failed" + (f", {n['skip']} skipped" if n["skip"] else ""), flush=True)
        return 1 if n["fail"] or not n["pass"] else 0


def main():
    jobs = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
    only = os.environ.get("ONLY")
    if only:
        jobs = [j for j in jobs if re.search(only, f"{j[0]}/{j[1]}")]
    run = Run(sys.argv[1])

    def stop(signo, frame):
        for pid in list(run.live):
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os._exit(128 + signo)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    run.all(jobs)
    return run.summary()


if __name__ == "__main__":
    sys.exit(main())
