#!/usr/bin/env python3
"""Reads a clock with pyzk, a client written by others, and prints what it found as JSON.

Usage: pyzk_check.py HOST PORT [--comm-key N] [--live N] [--time]

With --live the program waits for N live punches after reading; it prints the line
"ready" on stderr once it listens. With --time only the log is read, and how long that took
is told instead of what was in it. Exit status: 0 read, 1 not read (reason on stderr).
pyzk is used here only, as a program of its own; nothing of it is in the product.
"""
import argparse
import json
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description="read a clock with pyzk")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--comm-key", type=int, default=0)
    parser.add_argument("--live", type=int, default=0)
    parser.add_argument("--time", action="store_true")
    return parser.parse_args()


def punch(entry):
    return {
        "user_id": entry.user_id,
        "time": entry.timestamp.strftime("%Y-%m-%dT%H:%M:%S"),
        "status": entry.status,
        "punch": entry.punch,
    }


def user(entry):
    return {
        "uid": entry.uid,
        "user_id": entry.user_id,
        "name": entry.name,
        "privilege": entry.privilege,
        "card": entry.card,
    }


def listen(clock, wanted):
    heard = []
    if wanted == 0:
        return heard
    for entry in clock.live_capture(new_timeout=10):
        # The first silence also ends the wait: a test must not hang on a deaf client.
        if entry is None:
            break
        heard.append(punch(entry))
        if len(heard) == wanted:
            clock.end_live_capture = True
    return heard


def read(options):
    from zk import ZK

    device = ZK(
        options.host,
        port=options.port,
        timeout=10,
        password=options.comm_key,
        ommit_ping=True,
    )
    clock = device.connect()
    try:
        if options.time:
            began = time.perf_counter()
            records = len(clock.get_attendance())
            return {"records": records, "read_s": time.perf_counter() - began}
        found = {
            "serial": clock.get_serialnumber(),
            "platform": clock.get_platform(),
            "firmware": clock.get_firmware_version(),
            "extend_fmt": clock.get_extend_fmt(),
            "time": clock.get_time().strftime("%Y-%m-%dT%H:%M:%S"),
            "users": [user(entry) for entry in clock.get_users()],
            "punches": [punch(entry) for entry in clock.get_attendance()],
        }
        print("ready", file=sys.stderr, flush=True)
        found["live"] = listen(clock, options.live)
        return found
    finally:
        clock.enable_device()
        clock.disconnect()


def main():
    options = arguments()
    answer, sys.stdout = sys.stdout, sys.stderr  # pyzk prints remarks of its own
    try:
        found = read(options)
    except Exception as reason:  # whatever pyzk raises, the caller gets one line
        print(f"pyzk could not read the clock: {type(reason).__name__}: {reason}", file=sys.stderr)
        return 1
    json.dump(found, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
