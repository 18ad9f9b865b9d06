"""llvmlite's part: LLVM's language in, object code of one kernel out; Numba is not imported.

What is optimised is for any machine of this architecture (no wider registers, no newer
instructions), and only the last step, the choice of instructions, is for this very CPU. Kernels
are no faster for having been optimised for one, and so the same code can be shipped
(:mod:`wardwatch.compiled.shipped`).
"""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm

from wardwatch.compiled import image
from wardwatch.compiled.store import Unkeepable

ENTRY = "wardwatch_kernel"
"""The entry of a kernel in LLVM's language, before it gets a name in a process."""

ALLOWED = ("llvm.", "memset", "memcpy", "memmove")
"""Functions that object code may call: LLVM's intrinsics and what they become. Anything else is
Numba's runtime or Python's interpreter, which are not there when the code is loaded alone."""

PLAIN_CPUS = {"x86_64": "x86-64"}
"""By architecture, the CPU that every machine of it can stand for; elsewhere ``generic``."""


def architecture() -> str:
    """The first part of this process's target triple."""
    return str(llvm.get_process_triple()).partition("-")[0]


def optimise(module: Any) -> None:
    """Optimise a module for any machine of this architecture."""
    machine = _machine(PLAIN_CPUS.get(architecture(), "generic"), "")
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def check(module: Any) -> None:
    """Raise :class:`Unkeepable` for code that needs what is outside of it, or may raise."""
    strange = sorted(
        part.name
        for parts in (module.functions, module.global_variables)
        for part in parts
        if (part.is_declaration and not part.name.startswith(ALLOWED))
        or part.name.startswith("_ZN08NumbaEnv")
    )
    if strange:
        raise Unkeepable(f"needs {', '.join(strange)}")
    if re.search(r"\bret i32 (?!0\b)", str(module.get_function(ENTRY))):
        raise Unkeepable("may raise: it gives back another status than 0")


def emit(bitcode: bytes, symbol: str) -> bytes:
    """Object code for this CPU, entered at ``symbol``.

    Raises :class:`Unkeepable` for bitcode that this LLVM does not read.
    """
    try:
        module: Any = llvm.parse_bitcode(bitcode)
    except RuntimeError as error:
        raise Unkeepable(f"LLVM: {error}") from error
    machine = _machine(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.get_function(ENTRY).name = symbol
    return bytes(machine.emit_object(module))


def _machine(cpu: str, features: str) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    # What is one piece finds its parts by their distance; what LLVM links has its addresses fixed
    # where it is x86 code, as Numba does.
    fixed = "static" if architecture() == "x86_64" else "default"
    reloc, model = ("pic", "small") if image.is_known_here() else (fixed, "jitdefault")
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc=reloc, codemodel=model, jit=True
    )
