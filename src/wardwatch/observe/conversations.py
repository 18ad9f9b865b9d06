"""Conversations in words: the kernel's numbers as rows of table ``conversations``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wardwatch.observe.spelled import ips, macs, spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from wardwatch.observe.sessions import Counters
    from wardwatch.observe.tables import Spool

PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmp6", 132: "sctp"}
"""Words of table ``conversations``; others are their number."""

_AS_THEY_ARE = (
    "conversation",
    "capture",
    "first_ts",
    "last_ts",
    "first_packet",
    "last_packet",
    "last_capture",
    "orig_p",
    "resp_p",
    "vlan",
    "orig_bytes",
    "resp_bytes",
    "orig_pkts",
    "resp_pkts",
    "orig_ip_bytes",
    "resp_ip_bytes",
    "conn_state",
    "history",
)


def write_conversations(
    spool: Spool,
    columns: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    services: Mapping[int, str],
    counters: Mapping[int, Counters],
) -> None:
    """Append conversations given as :meth:`ConversationTable.rows` gives them.

    ``names`` are those of segments; ``services`` and ``counters`` what following the streams
    told, by number. Where a stream was followed its counts of missing and repeated pieces stand;
    else those of the kernel, which knows sequence numbers only.
    """
    size = len(columns["conversation"])
    if not size:
        return
    out: dict[str, Any] = {}
    for name in _AS_THEY_ARE:
        values = columns[name]
        out[name] = values.tolist() if values.dtype.kind == "U" else values
    out["segment"] = spelled(columns["segment"], names.__getitem__)
    out["proto"] = spelled(columns["proto"], lambda p: PROTOCOLS.get(p, str(p)))
    out["orig_l2_addr"] = macs(columns["orig_mac"], none=0)
    out["resp_l2_addr"] = macs(columns["resp_mac"], none=0)
    out["silent_l2_addr"] = macs(columns["silent_mac"], none=0)
    for side in ("orig", "resp"):
        out[f"{side}_h"] = ips(columns["net"], columns[f"{side}_hi"], columns[f"{side}_lo"])
    numbers = columns["conversation"].tolist()
    out["service"] = [services.get(number, "") for number in numbers]
    odd = {
        name: columns[name].copy() if name in columns else np.zeros(size, np.int64)
        for name in ("missed_bytes", "overlaps", "retransmissions", "reordered")
    }
    for at, number in enumerate(numbers):
        told = counters.get(number)
        if told is not None:
            for name, values in odd.items():
                values[at] = max(int(values[at]), getattr(told, name))
    spool.extend("conversations", {**out, **odd})
