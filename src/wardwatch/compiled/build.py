"""Numba's part: a kernel and the types of its arguments in, LLVM's bitcode out.

Only this module imports Numba. Helpers are compiled to LLVM's language and no further; they are
optimised once, as parts of the kernel that they were put into. What comes out has one entry, a
function of one pointer: the *frame*, an array of 64 bit words that holds the result and the
arguments as :mod:`wardwatch.compiled.border` lays them out.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
from typing import TYPE_CHECKING, Any, cast

from wardwatch.compiled import border, native, prefetch
from wardwatch.compiled.store import Unkeepable, helpers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wardwatch.compiled.border import Type

FLAGS: dict[str, Any] = {"nogil": True, "boundscheck": False, "error_model": "numpy"}
"""No bounds checks: kernels compare with the end themselves. NumPy's error model: a division by
zero has a value, so that nothing raises."""
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Wrappers for callers from Python or C are half of the time to compile."""

ARRAY_FIELDS = ("meminfo", "parent", "nitems", "itemsize", "data", "shape", "strides")
"""How Numba passes an array; :mod:`wardwatch.compiled.border` fills words in this order."""

_registered: set[Callable[..., Any]] = set()
_operators: dict[tuple[Any, tuple[Any, ...]], Any] = {}
"""Signatures of operators on integers, as Numba found them."""


def build(function: Callable[..., Any], types: tuple[Type, ...]) -> bytes:
    """LLVM's bitcode of ``function`` for arguments of ``types``, entered at ``native.ENTRY``.

    It is good for any machine of this architecture. An octet that tells the result stands before
    it (``border.RESULTS``). Raises ``ImportError`` without Numba, and :class:`Unkeepable` where
    the code needs Numba's runtime (it allocates or may raise) or Numba cannot compile it at all.
    """
    import numba

    njit: Any = numba.njit
    try:
        from numba.core.errors import NumbaError

        _register(function)
        dispatcher = njit(**FLAGS, **_INNER, _nrt=False)(function)  # nothing may be allocated
        signature = tuple(_numba_type(t, function) for t in types)
        with _light() as codegen:
            try:
                dispatcher.compile(signature)
            except NumbaError as error:
                raise Unkeepable(str(error)) from error
            made = dispatcher.overloads[signature]
            return _bitcode(made, types, signature, codegen)
    except (ImportError, AttributeError, KeyError) as error:
        raise Unkeepable(f"Numba {numba.__version__} lacks a part: {error}") from error


def jitted(function: Callable[..., Any], *, cached: bool) -> Callable[..., Any]:
    """Numba's own callable, for kernels whose object code cannot be kept by us.

    It raises ``TypeError`` for arguments that Numba cannot compile the kernel for.
    """
    from numba import njit
    from numba.core.errors import NumbaError

    _register(function)
    compiled = njit(cache=cached, **FLAGS)(function)

    def call(*args: Any) -> Any:
        try:
            return compiled(*args)
        except NumbaError as error:
            raise TypeError(f"{function.__qualname__}: {error}") from error

    return call


def _register(function: Callable[..., Any]) -> None:
    """Tell Numba of the helpers in a kernel."""
    from numba.extending import register_jitable

    for each in helpers_of(function):
        if each is prefetch and each not in _registered:
            _register_prefetch()
            _registered.add(each)
        elif each not in _registered:
            inline = each.forceinline  # type: ignore[attr-defined]
            register_jitable(**FLAGS, **_INNER, forceinline=inline)(each)
            _registered.add(each)


def _register_prefetch() -> None:
    """Tell Numba what :func:`wardwatch.compiled.prefetch` is: LLVM's intrinsic of that name."""
    from llvmlite import ir
    from numba import extending as numba_extending
    from numba import types as numba_types

    extending: Any = numba_extending
    types: Any = numba_types
    word, small, octet = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()

    def typer(_context: Any) -> Any:
        def typed(array: Any, row: Any, column: Any) -> Any:
            whole = isinstance(row, types.Integer) and isinstance(column, types.Integer)
            flat = isinstance(array, types.Array) and array.layout == "C" and array.ndim <= 2
            return types.none if flat and whole else None

        return typed

    def lower(context: Any, block: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, block, args[0])
        row, column = (
            context.cast(block, value, given, types.int64)
            for value, given in zip(args[1:], signature.args[1:], strict=True)
        )
        width = block.extract_value(array.shape, 1) if kind.ndim == 2 else word(1)
        item = word(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        at = block.mul(block.add(block.mul(row, width), column), item)
        place = block.inttoptr(block.add(block.ptrtoint(array.data, word), at), octet)
        ask = block.module.declare_intrinsic(
            "llvm.prefetch", [octet], ir.FunctionType(ir.VoidType(), [octet, small, small, small])
        )
        # to be written, in all caches, data
        block.call(ask, [place, small(1), small(3), small(1)])
        return context.get_dummy_value()

    extending.type_callable(prefetch)(typer)
    extending.lower_builtin(prefetch, types.Array, types.Integer, types.Integer)(lower)


def _numba_type(kind: Type, function: Callable[..., Any]) -> Any:
    """Numba's name of an argument type."""
    from numba import types as numba_types
    from numba.np.numpy_support import from_dtype

    types: Any = numba_types
    if isinstance(kind, str):
        return {"int": types.int64, "bool": types.boolean}[kind]
    if kind.items is not None:
        items = tuple(_numba_type(item, function) for item in kind.items)
        if kind.named is None:
            return types.Tuple(items)
        same = len(set(items)) == 1
        return (
            types.NamedUniTuple(items[0], len(items), kind.named)
            if same
            else types.NamedTuple(items, kind.named)
        )
    return types.Array(
        from_dtype(cast("Any", kind.dtype)), kind.ndim, "C", readonly=not kind.writable
    )


@contextlib.contextmanager
def _light() -> Iterator[Any]:
    """Numba's code generator, stopped before it optimises and emits each helper on its own.

    What is exchanged belongs to Numba's inside. Where a version lacks it, kernels are left to
    Numba's own way, which takes longer to start.
    """
    from numba import types as numba_types
    from numba.core import ir as numba_ir
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target
    from numba.core.targetconfig import TargetConfig

    types: Any = numba_types
    library: Any = JITCodeLibrary

    class Light(library):  # type: ignore[misc]
        """Keeps LLVM's language and makes no machine code of it."""

        def _optimize_functions(self, ll_module: Any) -> None:
            ll_module.data_layout = self._codegen._data_layout

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

        def get_pointer_to_function(self, _name: str) -> int:
            self._ensure_finalized()
            return 0

    config: Any = TargetConfig

    def values(self: Any) -> dict[str, Any]:
        # the same as Numba's, which asks a property for each option: a tenth of all the time
        defaults: dict[str, Any] = {name: o.default for name, o in self.options.items()}
        return {**defaults, **self._values}

    typing: Any = cpu_target.typing_context
    resolve = typing.resolve_function_type

    numbers = (types.Integer, types.Boolean, types.Array)

    def resolved(func: Any, args: Any, kws: Any) -> Any:
        # what `+` or an index gives is asked ten thousand times, and each time of all ufuncs
        plain = getattr(func, "__module__", "") == "_operator" and not kws
        if not plain or not all(isinstance(a, numbers) for a in args):
            return resolve(func, args, kws)
        asked = (func, tuple(args))
        if asked not in _operators:
            found = resolve(func, args, kws)
            if found is None:
                return None
            _operators[asked] = found
        return _operators[asked]

    ir: Any = numba_ir
    listing = ir.Inst._rec_list_vars
    idle = {str, int, bool, float, type(None), ir.Loc}

    def variables(self: Any, value: Any) -> list[Any]:
        # the same as Numba's, which asks five questions of every place in the source it passes
        kind = type(value)
        if kind is ir.Var:
            return [value]
        parts = value.values() if kind is dict else value if kind in (list, tuple) else None
        if parts is None:
            return [] if kind in idle else cast("list[Any]", listing(self, value))
        found: list[Any] = []
        for part in parts:
            kind = type(part)
            if kind is ir.Var:
                found.append(part)
            elif kind not in idle:
                found.extend(variables(self, part))
        return found

    with global_compiler_lock:
        codegen = cpu_target.target_context.codegen()
        kept, collecting = config.values, gc.isenabled()
        gc.disable()  # millions of small objects, none of them garbage yet
        codegen._library_class = Light
        codegen.set_env = lambda _name, _env: None
        config.values = values
        ir.Inst._rec_list_vars = variables
        typing.resolve_function_type = resolved
        try:
            yield codegen
        finally:
            del typing.resolve_function_type
            config.values = kept
            ir.Inst._rec_list_vars = listing
            del codegen._library_class, codegen.set_env
            if collecting:
                # what Numba made lives as long as Numba: looking through it each time is idle
                gc.freeze()
                atexit.unregister(gc.unfreeze)
                atexit.register(gc.unfreeze)  # at the end all is to be found and let go
                gc.enable()


def _bitcode(made: Any, types: tuple[Type, ...], signature: tuple[Any, ...], codegen: Any) -> bytes:
    """Put the kernel behind its entry, optimise both, and look at what is left."""
    import llvmlite.binding as llvm
    from numba import types as numba_types

    if made.library._dynamic_globals:
        raise Unkeepable("holds an address of this process")
    module = llvm.parse_assembly(_entry(made, types, signature))
    module.data_layout = codegen._data_layout
    module.link_in(made.library._get_module_for_linking(), preserve=True)
    module.get_function(made.fndesc.llvm_func_name).add_function_attribute("alwaysinline")
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration and part.name != native.ENTRY:
            part.linkage = "internal"
    _rename(module.functions)  # blocks take their names
    native.optimise(module)
    module.verify()
    native.check(module)
    _rename(module.global_variables)
    result = made.signature.return_type
    empty, truth = isinstance(result, numba_types.NoneType), result == numba_types.boolean
    told = b"n" if empty else b"b" if truth else b"i"
    return told + bytes(module.as_bitcode())


def _rename(parts: Iterable[Any]) -> None:
    """Plain names for what is defined: Numba's count what was compiled before."""
    for number, part in enumerate(parts):
        if not part.is_declaration and part.name != native.ENTRY:
            part.name = f"part{number}"


def _entry(made: Any, told: tuple[Type, ...], signature: tuple[Any, ...]) -> str:
    """LLVM text of ``int32 ENTRY(int64 *frame)``, which calls the kernel Numba's way.

    Returns Numba's status: 0 is fine.
    """
    from llvmlite import ir
    from numba import types as numba_types
    from numba.core.registry import cpu_target

    types: Any = numba_types
    context: Any = cpu_target.target_context
    if tuple(context.data_model_manager[types.uint8[::1]]._fields) != ARRAY_FIELDS:
        raise Unkeepable("this version of Numba passes arrays in another way")
    result = made.signature.return_type
    if not isinstance(result, (types.NoneType, types.Integer, types.Boolean)):
        raise Unkeepable(f"gives back {result}")
    kind = context.call_conv.get_function_type(result, signature)
    module = ir.Module(native.ENTRY)
    module.triple = cpu_target.target_context.codegen()._create_empty_module("triple").triple
    kernel = ir.Function(module, kind, made.fndesc.llvm_func_name)
    word = ir.IntType(64)
    entry = ir.Function(module, ir.FunctionType(ir.IntType(32), [word.as_pointer()]), native.ENTRY)
    block = ir.IRBuilder(entry.append_basic_block())
    frame = entry.args[0]
    returned = block.alloca(kind.args[0].pointee)
    raised = block.alloca(kind.args[1].pointee)
    words = []
    places = (
        at + k
        for at, value in zip(border.places(told), border.flat(told), strict=True)
        for k in range(border.words_of(value))
    )
    for at, wanted in zip(places, kind.args[2:], strict=True):
        value = block.load(block.gep(frame, [ir.Constant(word, at)]))
        if isinstance(wanted, ir.PointerType):
            words.append(block.inttoptr(value, wanted))
        elif isinstance(wanted, ir.IntType):
            words.append(block.trunc(value, wanted) if wanted.width < 64 else value)
        else:
            raise Unkeepable(f"takes {wanted}")
    status = block.call(kernel, [returned, raised, *words])
    if not isinstance(result, types.NoneType):
        value = block.load(returned)
        if value.type.width < 64:
            signed = isinstance(result, types.Integer) and result.signed
            value = block.sext(value, word) if signed else block.zext(value, word)
        block.store(value, frame)
    block.ret(status)
    return str(module)
