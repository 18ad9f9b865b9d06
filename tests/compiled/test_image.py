"""wardwatch.compiled.image"""

import ctypes
import errno
import mmap
import os
import struct
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from wardwatch.compiled import image, native, shipped

here = pytest.mark.skipif(not image.is_known_here(), reason="x86_64 under Linux")

ENTERED = "wardwatch_tried"
TABLE_AND_CALL = """
@table = internal constant [4 x i64] [i64 7, i64 11, i64 13, i64 17]
define internal i64 @looked_up(i64 %i) noinline {
  %at = getelementptr [4 x i64], ptr @table, i64 0, i64 %i
  %value = load i64, ptr %at
  ret i64 %value
}
define i32 @wardwatch_kernel(ptr %frame) {
  %i = load i64, ptr %frame
  %value = call i64 @looked_up(i64 %i)
  store i64 %value, ptr %frame
  ret i32 0
}
"""
CALLS = """
declare ptr @memset(ptr, i32, i64)
define i32 @wardwatch_kernel(ptr %frame) {
  %size = load i64, ptr %frame
  %to = getelementptr i64, ptr %frame, i64 1
  call ptr @memset(ptr %to, i32 1, i64 %size)
  ret i32 0
}
"""
WRITES = """
@count = internal global i64 5
define i32 @wardwatch_kernel(ptr %frame) {
  %value = load i64, ptr @count
  %more = add i64 %value, 1
  store i64 %more, ptr @count
  store i64 %more, ptr %frame
  ret i32 0
}
"""


def emitted(text: str) -> bytes:
    return native.emit(bytes(llvm.parse_assembly(text).as_bitcode()), ENTERED)


def run(address: int, first: int) -> int:
    frame = (ctypes.c_int64 * 4)(first)
    status = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)(frame)
    assert status == 0
    return frame[0]


@here
def test_a_piece_finds_its_parts_wherever_it_stands() -> None:
    piece = image.image_of(emitted(TABLE_AND_CALL), ENTERED)
    assert piece is not None
    one, other = image.place(piece), image.place(piece)
    assert one != other
    for address in (one, other):
        assert [run(address, i) for i in range(4)] == [7, 11, 13, 17]


@here
def test_nobody_can_write_to_what_runs() -> None:
    piece = image.image_of(emitted(TABLE_AND_CALL), ENTERED)
    assert piece is not None
    address = image.place(piece)
    ranges = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    (allowed,) = [
        words[1]
        for words in ranges
        for low, high in [words[0].split("-")]
        if int(low, 16) <= address < int(high, 16)
    ]
    assert allowed[:3] == "r-x"


@here
def test_every_kernel_that_is_shipped_is_one_piece() -> None:
    """Else each process would load LLVM for it: what it is made of now is not known to us."""
    kernels = shipped.unpack(shipped.FILE.read_bytes())
    assert len(kernels) > 15
    for came in kernels.values():
        piece = image.image_of(native.emit(came.made[1:], ENTERED), ENTERED)
        assert piece is not None, came.name
        assert len(piece) > image.HEAD


@here
@pytest.mark.parametrize("text", [CALLS, WRITES], ids=["calls what is outside", "writes"])
def test_an_object_that_is_more_than_one_piece_is_left_to_llvm(text: str) -> None:
    assert image.image_of(emitted(text), ENTERED) is None


@here
def test_an_object_of_another_machine_or_kind_is_left_to_llvm() -> None:
    code = emitted(TABLE_AND_CALL)
    assert image.image_of(code, "another") is None
    for at, value in ((0, 0x7E), (4, 1), (5, 2), (16, 3), (18, 183)):
        other = bytearray(code)
        other[at] = value
        assert image.image_of(bytes(other), ENTERED) is None, at


@here
def test_a_relocation_of_another_type_is_left_to_llvm() -> None:
    code = emitted(TABLE_AND_CALL)
    first = struct.unpack_from("<Q", code, 40)[0]
    kinds = [struct.unpack_from("<I", code, first + 64 * i + 4)[0] for i in range(code[60])]
    offset = struct.unpack_from("<Q", code, first + 64 * kinds.index(4) + 24)[0]
    assert struct.unpack_from("<I", code, offset + 8)[0] == 2  # R_X86_64_PC32, in the text
    other = bytearray(code)
    struct.pack_into("<I", other, offset + 8, 9)  # R_X86_64_GOTPCREL
    assert image.image_of(bytes(other), ENTERED) is None


@here
def test_an_object_that_was_cut_or_disturbed_raises_nothing() -> None:
    code = emitted(TABLE_AND_CALL)
    for size in range(len(code)):
        assert image.image_of(code[:size], ENTERED) is None, size
    for at in range(len(code)):
        for value in (0x00, 0x7F, 0xFF):
            piece = image.image_of(code[:at] + bytes([value]) + code[at + 1 :], ENTERED)
            assert piece is None or len(piece) >= image.HEAD


@here
def test_a_system_that_runs_no_such_memory_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = image.image_of(emitted(TABLE_AND_CALL), ENTERED)
    assert piece is not None
    before = len(list(Path("/proc/self/fd").iterdir()))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(mmap, "mmap", refused)
    with pytest.raises(PermissionError):
        image.place(piece)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@here
def test_an_older_linux_is_asked_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = image.image_of(emitted(TABLE_AND_CALL), ENTERED)
    assert piece is not None
    create = os.memfd_create

    def older(name: str, flags: int) -> int:
        if flags & ~os.MFD_CLOEXEC:
            raise OSError(errno.EINVAL, "Invalid argument")
        return create(name, flags)

    monkeypatch.setattr(os, "memfd_create", older)
    assert run(image.place(piece), 2) == 13


@here
def test_a_system_that_gives_no_nameless_memory_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = image.image_of(emitted(TABLE_AND_CALL), ENTERED)
    assert piece is not None
    asked = []

    def refused(name: str, flags: int) -> int:
        asked.append(flags)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "memfd_create", refused)
    with pytest.raises(PermissionError):
        image.place(piece)
    assert len(asked) == 1
