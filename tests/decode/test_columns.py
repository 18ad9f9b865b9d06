"""wardwatch.decode.columns"""

import numpy as np

from wardwatch.decode.columns import CARRIER_WIDTH, PacketColumns


def test_every_column_has_the_type_it_declares() -> None:
    columns = PacketColumns.of_size(5)
    for name in PacketColumns.__struct_fields__:
        array = getattr(columns, name)
        declared = str(PacketColumns.__annotations__[name])
        assert declared == f"NDArray[np.{array.dtype}]", name
        assert array.shape == ((5, CARRIER_WIDTH) if name == "carrier" else (5,))
        assert array.flags.c_contiguous
        assert not np.any(array)
