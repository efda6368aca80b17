#!/usr/bin/env python3
# timeout: 60
"""tour.py - every command of doc/tour.md is run, in order, and prints what stands there.

A ```console block holds commands, each behind "$ ", and under each what it prints. A comment in front of a block says how far it may
differ: "output: numbers vary" - each number may be another, and blanks more or fewer; "output: differs; it has /RE/ and /RE/" - only
that these are found, in this order. Without a comment it is the same to the letter. Commands run in a folder of their own that has
examples/ and build/via. `tour.py --write` runs them and writes what they print into the page.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SRC = os.environ.get("SRC") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIA = os.path.abspath(os.environ.get("VIA") or os.path.join(SRC, "build", "via"))
PAGE = os.path.join(SRC, "doc", "tour.md")
LABS = ("internet", "home-nat")


def blocks(lines):
    """Of the page: (number of the line with the fence, how it may differ, [[command, lines it prints]])."""
    how, at, found = "", None, []
    for n, line in enumerate(lines):
        if at is None and line.startswith("<!-- output: "):
            how = line[len("<!-- output: "):].removesuffix(" -->")
        elif at is None and line == "```console":
            at = n
            found.append((n, how, []))
            how = ""
        elif at is not None and line == "```":
            at = None
        elif at is not None and line.startswith("$ "):
            found[-1][2].append([line[2:], []])
        elif at is not None:
            found[-1][2][-1][1].append(line)
    return found


def run(command, folder, env):
    """What it prints, stderr behind stdout; the folder of a `cd` is its own."""
    p = subprocess.run(["bash", "-c", command], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=30,
                       stderr=subprocess.STDOUT, text=True, start_new_session=True)
    return p.returncode, p.stdout.replace("\r", "").splitlines()


def shape(lines):
    return [re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "0", line)).strip() for line in lines]


def is_as_told(how, want, got):
    if not how:
        return want == got
    if how == "numbers vary":
        return shape(want) == shape(got)
    patterns = re.findall(r"/((?:\\/|[^/])+)/", how)
    at, text, page = 0, "\n".join(got), "\n".join(want)
    for p in patterns:
        m = re.compile(p, re.M).search(text, at)
        if not m or not re.search(p, page, re.M):
            return False
        at = m.end()
    return how.startswith("differs; it has /") and bool(patterns)


def main():
    is_writing = sys.argv[1:] == ["--write"]
    lines = open(PAGE, encoding="utf-8").read().splitlines()
    folder = tempfile.mkdtemp(prefix="viatour")
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {"LC_ALL": "C", "XDG_RUNTIME_DIR": folder}
    os.mkdir(os.path.join(folder, "build"))
    os.symlink(VIA, os.path.join(folder, "build", "via"))
    os.symlink(os.path.join(SRC, "examples"), os.path.join(folder, "examples"))
    n = failed = 0
    fresh, kept = [], 0
    try:
        for at, how, commands in blocks(lines):
            fresh += lines[kept:at + 1]
            kept = at + 1 + sum(1 + len(out) for _, out in commands)
            for command, want in commands:
                status, got = run(command, folder, env)
                fresh += ["$ " + command] + got
                good = status == 0 and (is_as_told(how, want, got) or (is_writing and not want))
                n += 1
                failed += not good
                print(f"{'ok' if good else 'not ok'} {n} - {command[:90]}", flush=True)
                if not good:
                    told = [f"status {status}, output: {how or 'the same'}; was"] + got[:30] + ["the page has"] + want
                    print("\n".join("# " + x for x in told))
    finally:
        for lab in LABS:
            subprocess.run([VIA, "lab", "down", lab], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"1..{n}")
    if is_writing:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write("\n".join(fresh + lines[kept:]) + "\n")
        return 0
    return 1 if failed or n < 30 else 0


sys.exit(main())
