"""A kernel of your own from Python, by ctypes: 060_c_kernel.py LIBEFLOW_JIT_C.so

eflow/jit/c/eflow_jit.h describes the functions. The arrays here are NumPy's; any memory of the process will do.
"""
import ctypes
import sys

import numpy

TEXT = b"""#pragma once
#include "eflow/kernels_src/tile/pack.h"
namespace EFLOW_TEXT {
struct Axpy { const float* x; float* y; long long n, per_block; };
template <class C, int kA>
void axpy(const Block& block, const Axpy& args) {
  const Index begin = block.x * args.per_block, end = min_of(begin + args.per_block, args.n);
  each<C>(begin, end, [&](auto i) {
    store(args.y, i, C(kA) * load<C>(args.x, i) + load<C>(args.y, i));
  });
}
}
"""


class Axpy(ctypes.Structure):
    _fields_ = [("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("n", ctypes.c_longlong),
                ("per_block", ctypes.c_longlong)]


def load(path):
    """The library, with the types of its functions."""
    eflow = ctypes.CDLL(path)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_longlong
    for name, result, parameters in [
            ("open", pointer, [text]), ("close", None, [pointer]), ("error", text, []),
            ("add_text", ctypes.c_int, [pointer, text, text]),
            ("define", ctypes.c_int, [pointer, text, text, text, ctypes.c_int]),
            ("prepare", pointer, [pointer, text]), ("argument_types", text, [pointer]),
            ("launch", ctypes.c_int, [pointer, number, number, number, pointer, ctypes.c_size_t, pointer]),
            ("synchronize", ctypes.c_int, [pointer, pointer])]:
        function = getattr(eflow, "eflow_jit_" + name)
        function.restype, function.argtypes = result, parameters
    return eflow


def main():
    eflow = load(sys.argv[1])

    def check(ok):
        if not ok:
            sys.exit(eflow.eflow_jit_error().decode())

    jit = eflow.eflow_jit_open(None)
    check(jit)
    check(eflow.eflow_jit_add_text(jit, b"acme/axpy.h", TEXT) == 0)
    check(eflow.eflow_jit_define(jit, b"axpy", b"acme/axpy.h", b"axpy<$t0, $c0>", 256) == 0)
    kernel = eflow.eflow_jit_prepare(jit, b"axpy<f32>(3)")
    check(kernel)
    # ctypes fields have no types that a launch could check; the kernel says what it takes.
    takes = eflow.eflow_jit_argument_types(kernel).decode()
    print("axpy takes", takes)
    if takes != "(const f32*, f32*, i64, i64)":
        sys.exit("another struct than Axpy")
    x, y = numpy.arange(100_000, dtype=numpy.float32), numpy.ones(100_000, numpy.float32)
    args = Axpy(x.ctypes.data, y.ctypes.data, x.size, 1 << 14)
    blocks = -(-x.size // args.per_block)
    check(eflow.eflow_jit_launch(kernel, blocks, 1, 1, ctypes.byref(args), ctypes.sizeof(args), None) == 0)
    # A struct of another size is refused.
    refused = eflow.eflow_jit_launch(kernel, blocks, 1, 1, ctypes.byref(args), 8, None) != 0
    print("refused:", eflow.eflow_jit_error().decode())
    eflow.eflow_jit_close(jit)
    right = bool((y == 3 * x + 1).all())
    print("axpy:", "right" if right else "WRONG")
    sys.exit(0 if right and refused else 1)


main()
