#!/usr/bin/env python3
"""A gateway of another hand, written from docs/protocol.md and docs/protocol.proto alone.

It enrols, connects over TLS, sends punches (some of them twice, as after a cut), takes a
print command, "prints" it into a file and reports it done. The tests let it work in a real
shop; what it says on stdout, a line of JSON each, tells them how far it is. It is no
product: one thread, no backoff, a journal of a few lines.

Usage:
  stranger_gateway.py check --docs DIR
  stranger_gateway.py run --docs DIR --url URL --ca FILE --code CODE --state DIR
                          --clock SERIAL --commands N
"""
import argparse
import base64
import datetime
import hashlib
import json
import os
import re
import secrets
import socket
import ssl
import struct
import sys
import time
import urllib.parse

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SUBPROTOCOL = "fournil.gateway.v1"
VERSION = 1
PATIENCE_S = 30


# --- protobuf, from the definitions ----------------------------------------------------

class Definitions:
    """Messages and enumerations of a .proto file: as much of the language as it uses."""

    def __init__(self, text):
        self.messages, self.enums = {}, {}
        text = re.sub(r"//[^\n]*", "", text)
        for name, body in re.findall(r"enum (\w+) \{([^}]*)\}", text):
            values = re.findall(r"(\w+) = (\d+);", body)
            self.enums[name] = {word: int(number) for word, number in values}
        for name, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
            body = re.sub(r"oneof \w+ \{([^}]*)\}", r"\1", body)
            fields = re.findall(r"(repeated |optional )?(\w+) (\w+) = (\d+);", body)
            self.messages[name] = {
                int(tag): (field, kind, label.strip()) for label, kind, field, tag in fields
            }

    def wire_type(self, kind):
        if kind == "fixed64":
            return 1
        return 2 if kind in ("string", "bytes") or kind in self.messages else 0

    def encode(self, name, value):
        out = b""
        by_field = {field: (tag, kind, label) for tag, (field, kind, label) in self.messages[name].items()}
        for field in sorted(value, key=lambda field: by_field[field][0]):
            tag, kind, label = by_field[field]
            for item in value[field] if label == "repeated" else [value[field]]:
                # Absent is zero, except where absence means something: optional, messages.
                is_plain = label == "" and kind not in self.messages
                if is_plain and item in (0, "", b"", False):
                    continue
                out += varint(tag << 3 | self.wire_type(kind)) + self.encode_one(kind, item)
        return out

    def encode_one(self, kind, item):
        if kind in self.messages:
            item = self.encode(kind, item)
        elif kind == "string":
            item = item.encode()
        elif kind == "fixed64":
            return struct.pack("<Q", item)
        elif kind == "sint64":
            return varint((item << 1 ^ item >> 63) & (1 << 64) - 1)
        elif kind != "bytes":
            return varint(int(item) & (1 << 64) - 1)
        return varint(len(item)) + item

    def decode(self, name, data):
        value, at = {}, 0
        while at < len(data):
            key, at = read_varint(data, at)
            tag, wire = key >> 3, key & 7
            if wire == 0:
                raw, at = read_varint(data, at)
            elif wire == 1:
                raw, at = struct.unpack_from("<Q", data, at)[0], at + 8
            elif wire == 2:
                length, at = read_varint(data, at)
                raw, at = data[at:at + length], at + length
                if len(raw) != length:
                    raise ValueError("a field ends behind its message")
            else:
                raise ValueError(f"wire type {wire} is none of proto3's")
            if tag not in self.messages[name]:
                continue
            field, kind, label = self.messages[name][tag]
            if wire != self.wire_type(kind):
                raise ValueError(f"{name}.{field} has wire type {wire}")
            item = self.decode_one(kind, raw)
            if label == "repeated":
                value.setdefault(field, []).append(item)
            else:
                value[field] = item
        return value

    def decode_one(self, kind, raw):
        if kind in self.messages:
            return self.decode(kind, raw)
        if kind == "string":
            return raw.decode()
        if kind == "bool":
            return bool(raw)
        if kind == "sint64":
            return raw >> 1 ^ -(raw & 1)
        if kind in ("int32", "int64") and raw >= 1 << 63:
            return raw - (1 << 64)
        return raw


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


# --- identity --------------------------------------------------------------------------

def public_key(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def fingerprint(public):
    consonants, vowels = "bdfghjklmnprstvz", "aiou"
    words = []
    for bits in struct.unpack(">4H", hashlib.sha256(public).digest()[:8]):
        words.append(
            consonants[bits >> 12] + vowels[bits >> 10 & 3] + consonants[bits >> 6 & 15]
            + vowels[bits >> 4 & 3] + consonants[bits & 15]
        )
    return "-".join(words)


def enrolment_bytes(code, public):
    return b"fournil gateway enrolment\0" + code.encode() + b"\0" + public


def session_bytes(version, server_name, nonce, gateway_id):
    out = b"fournil gateway session\0" + struct.pack(">I", version)
    for part in (server_name.encode(), nonce, gateway_id):
        out += struct.pack(">Q", len(part)) + part
    return out


def normalise(code):
    code = "".join(letter for letter in code.upper() if letter not in " -")
    return code.replace("I", "1").replace("L", "1").replace("O", "0")


# --- TLS, HTTP, WebSocket --------------------------------------------------------------

class Connection:
    """A verified TLS connection, read to lines, counts or WebSocket messages."""

    def __init__(self, url, ca):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 443
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        raw = socket.create_connection((self.host, self.port), timeout=PATIENCE_S)
        self.raw = context.wrap_socket(raw, server_hostname=self.host)
        self.buffer = b""

    def send(self, data):
        self.raw.sendall(data)

    def more(self):
        data = self.raw.recv(65536)
        if not data:
            raise EOFError("the cloud closed the connection")
        self.buffer += data

    def read_to(self, mark):
        while mark not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def read(self, count):
        while len(self.buffer) < count:
            self.more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def cut(self):
        """As a power cut would: nothing is said."""
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def answer(self):
        lines = self.read_to(b"\r\n\r\n").decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split(" ")[1]), headers


class WebSocket(Connection):
    def __init__(self, url, ca):
        super().__init__(url, ca)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.send(
            (
                f"GET /gateway/v1 HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
                f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
            ).encode()
        )
        status, headers = self.answer()
        wanted = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        if status != 101 or headers["sec-websocket-accept"] != base64.b64encode(wanted).decode().lower():
            raise ValueError(f"no WebSocket: {status} {headers}")
        if headers["sec-websocket-protocol"] != SUBPROTOCOL:
            raise ValueError("another subprotocol")

    def send_message(self, opcode, data):
        mask = secrets.token_bytes(4)
        head = bytes([0x80 | opcode])
        if len(data) < 126:
            head += bytes([0x80 | len(data)])
        elif len(data) < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(data))
        self.send(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        """The next binary message; the WebSocket's own are answered on the way."""
        message = b""
        while True:
            first, second = self.read(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack(">H", self.read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.read(8))[0]
            data, opcode = self.read(length), first & 0x0F
            if opcode == 9:
                self.send_message(10, data)
            elif opcode == 8:
                raise EOFError(f"closed: {data[2:].decode(errors='replace')}")
            elif opcode in (0, 2):
                message += data
                if first & 0x80:
                    return message


# --- the journal -----------------------------------------------------------------------

class Journal:
    """One JSON file, replaced whole and synced: slow, and safe."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "journal.json")
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.state = json.load(file)
        else:
            self.state = {
                "epoch": secrets.randbits(63) | 1, "events": [], "incarnation": 0,
                "down_epoch": 0, "down_durable": 0, "settled": [],
            }

    def sync(self):
        with open(self.path + ".new", "w") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.path + ".new", self.path)
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def last(self):
        return len(self.state["events"])

    def event(self, seq):
        return bytes.fromhex(self.state["events"][seq - 1])


# --- the gateway -----------------------------------------------------------------------

def say(**told):
    print(json.dumps(told), flush=True)


def now_ms():
    return int(time.time() * 1000)


class Gateway:
    def __init__(self, options, definitions):
        self.options, self.proto = options, definitions
        os.makedirs(options.state, mode=0o700, exist_ok=True)
        self.journal = Journal(options.state)
        with open("/proc/sys/kernel/random/boot_id") as file:
            self.boot_id = bytes.fromhex(file.read().strip().replace("-", ""))
        self.socket = None
        self.acked = 0
        self.commands_done = 0

    def enrol(self):
        self.key = Ed25519PrivateKey.generate()
        # Durable before the code is spent.
        path = os.path.join(self.options.state, "key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(self.key.private_bytes_raw())
            os.fsync(file.fileno())
        public, code = public_key(self.key), normalise(self.options.code)
        body = json.dumps({
            "code": code,
            "public_key": base64.b64encode(public).decode(),
            "signature": base64.b64encode(self.key.sign(enrolment_bytes(code, public))).decode(),
            "software": "stranger 1",
            "hostname": socket.gethostname(),
        }).encode()
        connection = Connection(self.options.url, self.options.ca)
        connection.send(
            f"POST /gateway/enrol HTTP/1.1\r\nHost: {connection.host}:{connection.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n".encode() + body
        )
        status, headers = connection.answer()
        answer = json.loads(connection.read(int(headers["content-length"])))
        if status != 200:
            raise ValueError(f"{answer['error']}: {answer['message']}")
        if answer["fingerprint"] != fingerprint(public):
            raise ValueError("the cloud shows another fingerprint")
        self.gateway_id = bytes.fromhex(answer["gateway_id"].replace("-", ""))
        say(enrolled=answer["name"], fingerprint=answer["fingerprint"])

    # Frames

    def send(self, kind, value):
        frame = self.proto.encode("Frame", {kind: value})
        assert len(frame) <= 65536
        self.socket.send_message(2, frame)

    def receive(self):
        while True:
            frame = self.proto.decode("Frame", self.socket.receive())
            for kind, value in frame.items():
                return kind, value

    def expect(self, wanted):
        kind, value = self.receive()
        if kind != wanted:
            raise ValueError(f"{wanted} was due and {kind} came: {value}")
        return value

    # A session

    def open(self):
        self.socket = WebSocket(self.options.url, self.options.ca)
        challenge = self.expect("challenge")
        if not challenge["version_min"] <= VERSION <= challenge["version_max"]:
            raise ValueError("no common version")
        name, state = self.socket.host, self.journal.state
        signed = session_bytes(VERSION, name, challenge["nonce"], self.gateway_id)
        last = self.journal.last()
        head_hash = hashlib.sha256(self.journal.event(last)).digest() if last else b""
        self.send("hello", {
            "version": VERSION, "gateway_id": self.gateway_id, "signature": self.key.sign(signed),
            "server_name": name, "incarnation": state["incarnation"], "boot_id": self.boot_id,
            "up": {
                "epoch": state["epoch"], "first_kept": 1, "last": last,
                "head_hash": head_hash, "acked": self.acked,
            },
            "down": {"epoch": state["down_epoch"], "durable": state["down_durable"]},
            "software": "stranger 1", "wall_ms": now_ms(),
            "down_window_commands": 8, "down_window_bytes": 262144,
        })
        welcome = self.expect("welcome")
        if welcome["up_epoch"] != state["epoch"] or welcome.get("mode", 0) != 0:
            raise ValueError(f"not welcome as hoped: {welcome}")
        if welcome["down_epoch"] != state["down_epoch"]:
            state["down_epoch"] = welcome["down_epoch"]
            state["down_durable"] = max(welcome["down_resume_from"], 1) - 1
            self.journal.sync()
        self.acked = welcome.get("up_durable", 0)
        self.window = welcome["up_window_events"]
        say(welcome=welcome["session_generation"], up_durable=self.acked)

    def record(self, body):
        """An event is durable before it is sent."""
        seq = self.journal.last() + 1
        uptime_ms = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        stamp = {"wall_ms": now_ms(), "mono_ms": uptime_ms, "boot_id": self.boot_id}
        event = self.proto.encode("Event", {"seq": seq, "recorded": stamp, **body})
        self.journal.state["events"].append(event.hex())
        self.journal.sync()
        return seq

    def send_events(self, first):
        last = self.journal.last()
        assert last - self.acked <= self.window
        events = [self.journal.event(seq) for seq in range(first, last + 1)]
        if events:
            self.send("events", {"epoch": self.journal.state["epoch"], "events": events})

    def wait_for_ack(self, seq):
        while self.acked < seq:
            self.handle(*self.receive())

    def handle(self, kind, value):
        if kind == "ack":
            self.acked = max(self.acked, value.get("up_durable", 0))
        elif kind == "ping":
            t1 = now_ms()
            self.send("pong", {"t0_ms": value.get("t0_ms", 0), "t1_ms": t1, "t2_ms": now_ms()})
        elif kind == "commands":
            self.take(value)
        elif kind == "goodbye":
            raise EOFError(f"goodbye {value}")
        elif kind != "pong":
            raise ValueError(f"{kind} has no place in a session")

    def take(self, commands):
        state = self.journal.state
        if commands["epoch"] != state["down_epoch"]:
            raise ValueError("commands of another log")
        for command in commands["commands"]:
            if command["seq"] != state["down_durable"] + 1:
                raise ValueError(f"command {command['seq']} leaves a hole")
            state["down_durable"] = command["seq"]
            self.journal.sync()
            self.send("ack", {"down_durable": command["seq"]})
            self.act(command)

    def report(self, command, state, **more):
        states = self.proto.enums["CommandState"]
        report = {"command_id": command["command_id"], "state": states[f"COMMAND_STATE_{state}"],
                  "attempt": 1, "device": command.get("device", ""), **more}
        seq = self.record({"command_report": report})
        self.send_events(seq)

    def act(self, command):
        ident = command["command_id"].hex()
        if ident in self.journal.state["settled"]:
            return
        not_after = command.get("not_after_ms", 0)
        if not_after and now_ms() > not_after:
            self.report(command, "EXPIRED", reason="deadline-passed")
        elif "print" in command:
            # On disk before the first byte.
            self.report(command, "STARTED")
            with open(os.path.join(self.options.state, "paper.txt"), "a") as paper:
                paper.write(self.page(command["print"]))
                paper.flush()
                os.fsync(paper.fileno())
            evidence = self.proto.enums["Evidence"]["EVIDENCE_BYTES_SENT"]
            self.report(command, "DONE", evidence=evidence)
            say(printed=command["print"]["document"].get("title", ""))
        elif "open_drawer" in command or "read_status" in command:
            self.report(command, "STARTED")
            self.report(command, "DONE")
        else:
            self.report(command, "UNSUPPORTED", reason="unknown-kind")
        self.journal.state["settled"].append(ident)
        self.journal.sync()
        self.commands_done += 1

    def page(self, printed):
        lines = ["DUPLICATA"] if printed.get("copy_of") else []
        for block in printed["document"].get("blocks", []):
            if "text" in block:
                lines.append(block["text"].get("text", ""))
            elif "columns" in block:
                lines.append("  ".join(cell.get("text", "") for cell in block["columns"]["cells"]))
        return "\n".join(lines) + "\n--- cut ---\n"

    def punch(self, number):
        local = datetime.datetime(2026, 11, 2, 5, number)
        instant = local.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
        return {"punch": {
            "clock_serial": self.options.clock, "user_id": str(1 + number % 3),
            "local_time": local.strftime("%Y-%m-%dT%H:%M:%S"), "zone": "Africa/Algiers",
            "instant_ms": int(instant.timestamp() * 1000), "state": 0, "verify": 1,
            "occurrence": 0, "raw": bytes([number]), "layout": "stranger",
            "source": self.proto.enums["PunchSource"]["PUNCH_SOURCE_POLL"],
        }}

    def run(self):
        self.enrol()
        self.journal.state["incarnation"] += 1
        self.journal.sync()
        # Sent, and the line cut before the answer: nobody knows what arrived.
        self.open()
        for number in range(5):
            self.record(self.punch(number))
        self.send_events(self.acked + 1)
        self.socket.cut()
        # What is missing is sent again, and acknowledged.
        self.open()
        self.send_events(self.acked + 1)
        self.wait_for_ack(5)
        say(acked=self.acked)
        self.socket.cut()
        # Everything once more, as after a cloud that came back from a backup, and one new.
        self.open()
        self.record(self.punch(5))
        self.send_events(1)
        self.wait_for_ack(6)
        say(acked=self.acked)
        while self.commands_done < self.options.commands:
            self.handle(*self.receive())
        self.wait_for_ack(self.journal.last())
        self.send("goodbye", {"code": 4000, "reason": "the stranger goes"})
        say(done=self.commands_done)


# --- the documents, judged -------------------------------------------------------------

def check(docs, definitions):
    with open(os.path.join(docs, "protocol.md")) as file:
        page = file.read()
    rows = dict(re.findall(r"^\| ([a-zA-Z() 0-9-]+) \| `([^`]+)` \|$", page, re.M))
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(rows["secret key (seed)"]))
    public, nonce = public_key(key), bytes.fromhex(rows["nonce"])
    enrolment = enrolment_bytes(rows["code"], public)
    name, ident = rows["server name"], bytes.fromhex(rows["gateway id"])
    session = session_bytes(int(rows["version"]), name, nonce, ident)
    inquiry = session_bytes(int(rows["version"]), name, nonce + b"inquiry", ident)
    for row, value in [
        ("public key", public.hex()),
        ("its SHA-256", hashlib.sha256(public).hexdigest()),
        ("fingerprint", fingerprint(public)),
        ("enrolment bytes", enrolment.hex()),
        ("enrolment signature", key.sign(enrolment).hex()),
        ("session bytes", session.hex()),
        ("session signature", key.sign(session).hex()),
        ("inquiry bytes", inquiry.hex()),
        ("inquiry signature", key.sign(inquiry).hex()),
    ]:
        if rows[row] != value:
            raise ValueError(f"{row}: the page says {rows[row]}, it is {value}")
    frames = re.findall(r"^`([a-z0-9/-]+)`\n\n((?:    [0-9a-f]+\n)+)", page, re.M)
    for name, text in frames:
        data = bytes.fromhex("".join(text.split()))
        frame = definitions.decode("Frame", data)
        if len(frame) != 1 or definitions.encode("Frame", frame) != data:
            raise ValueError(f"{name} reads as {frame} and is not written back the same")
        for events in frame.get("events", {}).get("events", []):
            event = definitions.decode("Event", events)
            if definitions.encode("Event", event) != events:
                raise ValueError(f"the event of {name} is not written back the same: {event}")
    say(frames=len(frames))


def main():
    parser = argparse.ArgumentParser(description="a gateway written from the documents alone")
    parser.add_argument("command", choices=["check", "run"])
    parser.add_argument("--docs", required=True)
    for option in ("--url", "--ca", "--code", "--state", "--clock"):
        parser.add_argument(option)
    parser.add_argument("--commands", type=int, default=1)
    options = parser.parse_args()
    try:
        with open(os.path.join(options.docs, "protocol.proto")) as file:
            definitions = Definitions(file.read())
        if options.command == "check":
            check(options.docs, definitions)
        else:
            Gateway(options, definitions).run()
    except (OSError, ValueError, KeyError, EOFError) as reason:
        print(f"stranger: {type(reason).__name__}: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
