"""Capture: a fleet's packets as a file, their labels, and beside them what a hospital knows.

Everything is made and written window by window, so that memory does not grow with the span. What
:func:`write` leaves behind is whole or not there: files have a name of their own until they are done.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wardwatch.capture.write import PcapngWriter, PcapWriter
from wardwatch.errors import OutputError
from wardwatch.model.values import NS
from wardwatch.twin import certs, labels
from wardwatch.twin.fleet import kernels as k
from wardwatch.twin.fleet import scripts
from wardwatch.twin.fleet.hospital import Fleet, FleetPlan, fleet, hospital
from wardwatch.twin.fleet.life import Life, alarm_causes, life
from wardwatch.twin.fleet.timeline import LIVE, Events, What, windows
from wardwatch.twin.wires import AROUND, BACKBONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

CHUNK = 16_384
"""Packets filled at once: a buffer of some megabytes, warm in the cache."""
ROOM = 1 << 20
PUMP_HOUR_OCTETS = 130_000
"""Measured with the shares of classes that are shipped, and a report a minute."""


class Written(msgspec.Struct, frozen=True):
    """What :func:`write` wrote."""

    folder: Path
    packets: int
    octets: int
    """Of the capture file; 0 without one."""
    events: dict[str, int]
    """How many of each kind."""
    files: dict[str, str]
    """SHA-256 of each file."""


class Packets:
    """The packets of a fleet, window by window; with :meth:`octets` as records of a file."""

    def __init__(self, of: Life, *, shape: Literal["pcapng", "pcap"] = "pcapng") -> None:
        self.life = of
        self.start = start_ns(of.fleet.plan)
        hosts = (scripts.HOSTS[scripts.MDS], scripts.HOSTS[scripts.PCD], "intranet.fleet.example")
        self.pki = certs.pki(self.start, *hosts)
        self.tables = scripts.tables(of.fleet.plan, self.pki)
        self.pumps = _pump_columns(of.fleet)
        self.shape = shape
        self.done = 0
        """Up to where the span has been played, ns."""
        self._state = np.zeros((of.fleet.pumps, k.STATE_COLUMNS), np.int64)
        self._later = np.zeros((0, k.PACKET_COLUMNS), np.int64)
        self._free = 0
        """From when the port that mirrors is free again, ns."""
        self._scratch = np.zeros(k.SCRATCH, np.uint8)

    def windows(
        self, window_ns: int = 0
    ) -> Iterator[tuple[Events, NDArray[np.int64], NDArray[np.int64]]]:
        """Events of a window, its packets (PACKET_COLUMNS), and the order in which they passed.

        They pass one at a time: the port that mirrors has one line.
        """
        for end, events in windows(self.life, window_ns):
            packets = np.concatenate([self._later, self._expanded(events)])
            order = np.argsort(packets[:, k.AT], kind="stable")
            cut = int(np.searchsorted(packets[order, k.AT], end))
            self._later = packets[order[cut:]]
            passed = order[:cut]
            packets[passed, k.AT], self._free = queued(
                packets[passed, k.AT], packets[passed, k.SIZE], self._free
            )
            self.done = end
            yield events, packets, order[:cut]

    def _expanded(self, events: Events) -> NDArray[np.int64]:
        rows = np.ascontiguousarray(np.stack(events, axis=1))
        t = self.tables
        given = (rows, self.pumps, t.scripts, t.steps, t.templates)
        packets = np.empty((k.count_packets(*given), k.PACKET_COLUMNS), np.int64)
        made = k.expand(*given, self._state, self.life.fleet.plan.seed, packets)
        assert made == len(packets)
        return packets

    def octets(self, packets: NDArray[np.int64], order: NDArray[np.int64]) -> Iterator[memoryview]:
        """The records of these packets; each view is good until the next."""
        t = self.tables
        gateway = t.gateway
        out = np.zeros(ROOM, np.uint8)
        for first in range(0, len(order), CHUNK):
            rows = order[first : first + CHUNK]
            size = packets[rows, k.SIZE]
            size = size + 16 if self.shape == "pcap" else 32 + (size + 3) // 4 * 4
            ends = np.cumsum(size)
            total = int(ends[-1])
            if total > len(out):
                out = np.zeros(total, np.uint8)
            else:
                out[:total] = 0  # padding stays as it is found
            k.fill(
                packets, rows, ends - size, self.pumps, t.servers, gateway, t.templates, t.patches,
                t.arena, t.sums, self.start, k.CLASSIC if self.shape == "pcap" else k.NG,
                self._scratch, out,
            )  # fmt: skip
            yield out[:total].data


def queued(
    at: NDArray[np.int64], size: NDArray[np.int64], free: int
) -> tuple[NDArray[np.int64], int]:
    """When each of some frames, in order, begins on a line that carries one at a time.

    ``at`` (ns) is when it is ready, ``size`` its octets, ``free`` when the line is; ⇒ (ns, when the
    line is free afterwards). Whoever waits for a line begins when all before him have ended
    (D. V. Lindley 1952), which the running maximum of what is left of their waits says at once.
    """
    if not len(at):
        return at, free
    busy = (size + AROUND) * 8 * NS // BACKBONE
    before = np.cumsum(busy) - busy
    begins = np.maximum(np.maximum.accumulate(at - before), free) + before
    return begins, int(begins[-1] + busy[-1])


def octets_about(plan: FleetPlan) -> int:
    """What the capture of a plan will take on disk, within a quarter."""
    return int(PUMP_HOUR_OCTETS * plan.pumps * plan.hours * (60 / plan.interval_s))


def start_ns(plan: FleetPlan) -> int:
    """Instant 0 in ns since 1970."""
    return int(datetime.fromisoformat(plan.start).timestamp()) * NS


def write(
    plan: FleetPlan,
    folder: Path,
    *,
    shape: Literal["pcapng", "pcap"] = "pcapng",
    packets: bool = True,
    events: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a fleet's capture, labels and events, its list, its site and a manifest into ``folder``.

    ``progress`` is called with (seconds of the span done, seconds in all). Same plan, same bytes.

    Raises :class:`~wardwatch.errors.OutputError` where the folder cannot be written, and leaves no
    unfinished file.
    """
    parts: list[Path] = []
    try:
        return _written(plan, folder, shape, packets, events, progress, parts)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror or error}); nothing is left of it, name another"
            " folder or a shorter span"
        ) from error
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _written(
    plan: FleetPlan,
    folder: Path,
    shape: Literal["pcapng", "pcap"],
    with_packets: bool,
    with_events: bool,
    progress: Callable[[int, int], None] | None,
    parts: list[Path],
) -> Written:
    if progress is not None:
        progress(0, int(plan.hours * 3600))
    made = life(fleet(plan))
    source = Packets(made, shape=shape)
    names = [f"fleet.{shape}", "labels.parquet"] if with_packets else []
    names += ["events.parquet"] if with_events else []
    paths = {name: folder / f".{name}.part" for name in names}
    parts += paths.values()
    counts = np.zeros(max(What) + 1, np.int64)
    octets = number = 0
    digest = hashlib.sha256()
    capture = paths.get(f"fleet.{shape}")
    file = None if capture is None else capture.open("wb")
    told = _Labels(paths.get("labels.parquet"), made)
    listed = _EventFile(paths.get("events.parquet"), made)
    try:
        if file is not None:
            octets += _put(file, digest, _head(shape))
        for events, packets, order in source.windows():
            counts += np.bincount(events.what, minlength=len(counts))
            listed.write(events)
            if file is not None:
                for piece in source.octets(packets, order):
                    octets += _put(file, digest, piece)
                told.write(packets, order)
            number += len(order)
            if progress is not None:
                progress(source.done // NS, made.span // NS)
    finally:
        if file is not None:
            file.close()
        told.close()
        listed.close()
    digests = {
        name: (digest if part == capture else _digest(part)).hexdigest()
        for name, part in paths.items()
    }
    kinds = {what.name.lower(): int(counts[what]) for what in What}
    packets_in = number if with_packets else 0
    small = {
        "list.csv": list_csv(made.fleet),
        "site.toml": site_toml(made.fleet, source.pki),
    }
    digests |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in small.items()}
    manifest = {
        "what": "wardwatch twin: a fleet that never was",
        "generator": labels.GENERATOR,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "plan": msgspec.to_builtins(plan),
        "packets": packets_in,
        "octets": octets,
        "events": kinds,
        "alarms": alarm_causes(plan),
        "classes": _class_counts(made.fleet),
        "files": digests,
    }
    small["manifest.json"] = json.dumps(manifest, indent=1) + "\n"
    for name, text in small.items():
        paths[name] = folder / f".{name}.part"
        parts.append(paths[name])
        paths[name].write_text(text, "utf-8")
    for name, part in paths.items():
        part.replace(folder / name)
    return Written(folder, packets_in, octets, kinds, digests)


def _put(file: BinaryIO, digest: hashlib._Hash, piece: bytes | memoryview) -> int:
    digest.update(piece)
    file.write(piece)
    return len(piece)


def _digest(path: Path) -> hashlib._Hash:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _head(shape: str) -> bytes:
    """What stands before the first packet."""
    raw = io.BytesIO()
    if shape == "pcap":
        PcapWriter(raw)
    else:
        PcapngWriter(raw, ((1, "trunk", 0),), "wardwatch twin: a fleet that never was")
    return raw.getvalue()


def _pump_columns(of: Fleet) -> NDArray[np.int64]:
    """What the kernels want of each pump."""
    mac = of.mac.astype(np.int64)
    ip = of.ip.astype(np.int64)
    columns = np.zeros((of.pumps, k.PUMP_COLUMNS), np.int64)
    columns[:, k.KIND] = of.kind
    columns[:, k.VLAN] = of.vlan
    columns[:, k.ADDRESS] = ip[:, 0] << 24 | ip[:, 1] << 16 | ip[:, 2] << 8 | ip[:, 3]
    columns[:, k.MAC_HIGH] = mac[:, 0] << 8 | mac[:, 1]
    columns[:, k.MAC_LOW] = mac[:, 2] << 24 | mac[:, 3] << 16 | mac[:, 4] << 8 | mac[:, 5]
    return columns


class _Labels:
    """One row a packet, from the same columns as the packets."""

    def __init__(self, path: Path | None, of: Life) -> None:
        plan = of.fleet.plan
        self._file = None if path is None else labels.LabelFile(path, name(plan), plan.seed)
        self._pumps = pa.array([*(of.fleet.device(n) for n in range(of.fleet.pumps)), ""])
        self._nobody = of.fleet.pumps
        self._kinds = pa.array([label.kind for label in scripts.LABELS])
        self._of_pump = np.array([label.of_pump for label in scripts.LABELS])

    def write(self, packets: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        """Label packets in the order of the file."""
        if self._file is None or not len(order):
            return
        kind, sent = packets[order, k.P_LABEL], packets[order, k.SENT]
        pump = np.where(self._of_pump[kind], packets[order, k.PUMP], self._nobody)
        self._file.write(
            len(order),
            {
                "pump_id": _coded(pump, self._pumps),
                "kind": _coded(kind, self._kinds),
                "phase": _coded(sent, _PHASES),
                "comms_state": _coded((sent == LIVE).astype(np.int64), _COMMS),
                "head_state": _coded((packets[order, k.RATE] > 0).astype(np.int64), _HEAD),
            },
        )

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()


_PHASES = pa.array(["", "live", "back-fill"])
_COMMS = pa.array(["online", "joining"])
_HEAD = pa.array(["idle", "running"])


def _coded(codes: NDArray[np.int64], words: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), words)


class _EventFile:
    """Every event, one row each."""

    def __init__(self, path: Path | None, of: Life) -> None:
        self._start = start_ns(of.fleet.plan)
        self._pumps = pa.array([of.fleet.device(n) for n in range(of.fleet.pumps)])
        self._whats = pa.array([what.name.lower() for what in What])
        word = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema(
            [
                pa.field("at", pa.int64()), pa.field("pump_id", word), pa.field("what", word),
                pa.field("made", pa.int64()), pa.field("number", pa.int64()),
                pa.field("rate_nl_h", pa.int64()), pa.field("given_nl", pa.int64()),
                pa.field("detail", pa.int64()), pa.field("sent", word),
                pa.field("library", pa.int64()),
            ]
        )  # fmt: skip
        self._file = (
            None if path is None else pq.ParquetWriter(path, self._schema, compression="zstd")
        )

    def write(self, events: Events) -> None:
        """Append events; instants are ns since 1970 in the file."""
        if self._file is None or not len(events.at):
            return
        columns = [
            pa.array(events.at + self._start), _coded(events.pump, self._pumps),
            _coded(events.what, self._whats), pa.array(events.made + self._start),
            pa.array(events.number), pa.array(events.rate), pa.array(events.given),
            pa.array(events.detail), _coded(events.sent, _PHASES), pa.array(events.library),
        ]  # fmt: skip
        self._file.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()


def name(plan: FleetPlan) -> str:
    """The capture's name in labels and manifest."""
    return f"fleet-{plan.pumps}-{plan.seed}"


def _class_counts(of: Fleet) -> dict[str, int]:
    counts = np.bincount(of.kind, minlength=len(hospital().classes))
    return {one.name: int(n) for one, n in zip(hospital().classes, counts, strict=True)}


# What a hospital knows of its fleet ------------------------------------------------------------


def list_csv(of: Fleet) -> str:
    """The hospital's own list of its pumps."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["asset", "mac", "serial", "manufacturer", "model", "version", "ward", "ip"])
    for n in range(of.pumps):
        one = hospital().classes[of.kind[n]]
        rows.writerow(
            [f"F{n + 1:05d}", of.mac_text(n), f"S{of.mac[n].tobytes().hex()[6:].upper()}",
             one.told.manufacturer, one.told.model, one.version, f"area {of.area[n] + 1}", of.address(n)]
        )  # fmt: skip
    return text.getvalue()


def site_toml(of: Fleet, pki: certs.Pki) -> str:
    """The site file: zones, servers and peers, all confirmed on paper."""
    day = of.plan.start[:10]
    lines = ['name = "Fleet General"', 'timezone = "Europe/Berlin"', 'report_to = "the hospital\'s CSIRT"', ""]  # fmt: skip

    def add(table: str, **words: object) -> None:
        lines.append(f"[[{table}]]")
        lines.extend(
            f'{key} = """\n{value}"""' if "\n" in str(value) else f"{key} = {json.dumps(value)}"
            for key, value in words.items()
        )
        lines.append(f'confirmed_by = "clinical engineering"\nconfirmed_on = "{day}"\n')

    mac = certs_mac()
    for vlan in of.vlans:
        add("zone", name=f"pumps {vlan}", vlans=[vlan], subnets=[f"10.{vlan}.0.0/20"],
            permitted_kinds=["infusion pump"], pumps=True)  # fmt: skip
        for role in ("router", "relay"):
            add("server", role=role, ip=f"10.{vlan}.0.1", macs=[mac])
        for peer, ports, proto in (
            (scripts.MDS, [scripts.REPORTS, scripts.PACKAGES], "tcp"),
            (scripts.PCD, [scripts.HL7, scripts.PACKAGES], "tcp"),
            (scripts.DNS, [53], "udp"),
            (scripts.DHCP, [67], "udp"),
        ):
            add("peer", zone=f"pumps {vlan}", peer=scripts.SERVERS[peer], ports=ports, proto=proto)
    add("server", role="router", ip="fe80::200:cff:fe12:1", macs=[mac])
    add("server", role="dhcp", ip=scripts.SERVERS[scripts.DHCP])
    add("server", role="dns", ip=scripts.SERVERS[scripts.DNS])
    for peer in (scripts.MDS, scripts.PCD):
        add("server", role="pump_server", ip=scripts.SERVERS[peer])
    add("root", pem=certs.pem(pki.root))
    return "\n".join(lines)


def certs_mac() -> str:
    """The router's MAC as text."""
    return ":".join(f"{octet:02x}" for octet in scripts.GATEWAY)
