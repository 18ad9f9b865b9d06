"""Labels: what every packet of a capture is, one row a packet, as Parquet beside the capture.

Row n stands for packet n; nothing is left out, so that precision and recall can be counted without
a guess. The twin writes them from what it played, never from the packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

GENERATOR = "wardwatch-twin 1"
"""Goes up when the same seed no longer gives the same bytes."""

_WORD = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        # name of the capture in its manifest
        pa.field("capture_id", _WORD, nullable=False),
        # 1-based, as Wireshark counts
        pa.field("packet_no", pa.int64(), nullable=False),
        # device id of the pump it is from or for (``dev-001a01…``); "" none
        pa.field("pump_id", _WORD, nullable=False),
        # what the packet is: ``dhcp discover``, ``tls hello``, ``report`` …
        pa.field("kind", _WORD, nullable=False),
        # "" the ordinary day, ``attack``, or ``consequence`` of one
        pa.field("role", _WORD, nullable=False),
        # technique of the attack it belongs to, or ``none``
        pa.field("ground_truth_event", _WORD, nullable=False),
        # id of the event in its scenario; "" none
        pa.field("attack_id", _WORD, nullable=False),
        # step of an attack, or of the ordinary life of a pump (``start``, ``back-fill`` …)
        pa.field("phase", _WORD, nullable=False),
        # what the pump's communications module does: ``online``, ``joining``, ``crashed`` …
        pa.field("comms_state", _WORD, nullable=False),
        # what its therapy module does: ``idle``, ``running``, ``alarm`` …; "" not modelled
        pa.field("head_state", _WORD, nullable=False),
        # therapy is undisturbed (I1)
        pa.field("i1_ok", pa.bool_(), nullable=False),
        # an unsigned offer was accepted (I2)
        pa.field("i2_violation", pa.bool_(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("generator", _WORD, nullable=False),
    ]
)
"""One row a packet."""

_PLAIN: dict[str, Any] = {
    "pump_id": "", "kind": "", "role": "", "ground_truth_event": "none", "attack_id": "",
    "phase": "", "comms_state": "online", "head_state": "", "i1_ok": True, "i2_violation": False,
}  # fmt: skip
"""What a column says where nothing is given."""


class LabelFile:
    """The labels of one capture, written in pieces."""

    def __init__(self, path: Path, capture_id: str, seed: int) -> None:
        self._always = {**_PLAIN, "capture_id": capture_id, "seed": seed, "generator": GENERATOR}
        self._file = pq.ParquetWriter(path, SCHEMA, compression="zstd", write_statistics=False)
        self.rows = 0
        """Packets labelled so far."""

    def write(self, rows: int, columns: Mapping[str, Any]) -> None:
        """Append labels of the next ``rows`` packets; a column not given says the same of all."""
        made = []
        for field in SCHEMA:
            if field.name == "packet_no":
                made.append(pa.array(np.arange(self.rows + 1, self.rows + rows + 1)))
            elif field.name in columns:
                given = columns[field.name]
                given = given if isinstance(given, pa.Array) else pa.array(given)
                made.append(given if given.type == field.type else given.cast(field.type))
            else:
                made.append(_constant(self._always[field.name], rows, field.type))
        self._file.write_table(pa.Table.from_arrays(made, schema=SCHEMA))
        self.rows += rows

    def close(self) -> None:
        """Write what a Parquet file ends with."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _constant(value: object, rows: int, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        codes = pa.repeat(pa.scalar(0, pa.int32()), rows)
        return pa.DictionaryArray.from_arrays(codes, pa.array([value], pa.string()))
    return pa.repeat(pa.scalar(value, kind), rows)
