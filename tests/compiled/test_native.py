"""wardwatch.compiled.native"""

import llvmlite.binding as llvm
import pytest

from wardwatch.compiled import native
from wardwatch.compiled.store import Unkeepable

FINE = "define i32 @wardwatch_kernel(ptr %frame) { ret i32 0 }"
CALLS = """
declare i32 @PyErr_Occurred()
define i32 @wardwatch_kernel(ptr %frame) { %s = call i32 @PyErr_Occurred() ret i32 0 }
"""
RAISES = "define i32 @wardwatch_kernel(ptr %frame) { ret i32 1 }"


def bitcode(text: str) -> bytes:
    return bytes(llvm.parse_assembly(text).as_bitcode())


def test_code_is_entered_by_the_name_that_was_asked_for() -> None:
    made = native.emit(bitcode(FINE), "entered_here")
    assert b"entered_here" in made
    assert native.ENTRY.encode() not in made


def test_code_that_this_llvm_does_not_read_is_refused_by_name() -> None:
    with pytest.raises(Unkeepable, match="LLVM"):
        native.emit(b"BC no bitcode", "entered_here")


@pytest.mark.parametrize(("text", "said"), [(CALLS, "PyErr_Occurred"), (RAISES, "may raise")])
def test_code_that_needs_more_or_may_raise_is_refused(text: str, said: str) -> None:
    native.check(llvm.parse_assembly(FINE))
    with pytest.raises(Unkeepable, match=said):
        native.check(llvm.parse_assembly(text))


def test_what_is_optimised_asks_for_no_newer_cpu() -> None:
    """A loop over words that wider registers would take eight at a time stays with narrow ones."""
    module = llvm.parse_assembly("""
define i32 @wardwatch_kernel(ptr %frame) {
start:
  br label %loop
loop:
  %i = phi i64 [0, %start], [%next, %loop]
  %at = getelementptr i64, ptr %frame, i64 %i
  %value = load i64, ptr %at
  %more = add i64 %value, 3
  store i64 %more, ptr %at
  %next = add i64 %i, 1
  %over = icmp eq i64 %next, 1024
  br i1 %over, label %end, label %loop
end:
  ret i32 0
}""")
    native.optimise(module)
    assert "<2 x i64>" in str(module) or native.architecture() != "x86_64"
    assert "<4 x i64>" not in str(module)
