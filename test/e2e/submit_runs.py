"""Submits runs through libsortie.so without waiting in between: a program of its own, because the
loader looks for libcuda.so.1 where LD_LIBRARY_PATH was when the process began.

usage: submit_runs.py LIBSORTIE PROGRAM WEIGHTS FUNCTION HIDDEN.NPY... -o OUT.NPZ [--eager]

Each file is the input `hidden` of one run; OUT.NPZ gets the outputs, `0`, `1`, and so on. Prints
how many runs were complete when all had been submitted.
"""

from __future__ import annotations

import argparse
import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p

import numpy as np


class Struct(ctypes.Structure):
    """A struct of sortie.h, which begins with its size."""

    def __init__(self, **members: object) -> None:
        super().__init__(struct_size=ctypes.sizeof(type(self)), **members)


class WeightsOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("source", c_int), ("path", c_char_p),
                ("buffers", c_void_p), ("buffer_sizes", c_void_p), ("buffer_count", c_size_t),
                ("read", c_void_p), ("read_user", c_void_p), ("seed", c_uint64),
                ("functions", POINTER(c_size_t)), ("function_count", c_size_t),
                ("threads", c_int), ("callbacks", c_void_p), ("device", c_char_p)]


class SymbolValue(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("value", c_int64)]


class SessionOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("device", c_char_p), ("threads", c_int),
                ("cpu_isa", c_char_p), ("max_tokens", c_int64), ("eager", c_int),
                ("symbols", POINTER(SymbolValue)), ("symbol_count", c_size_t)]


class Tensor(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("dtype", c_int),
                ("data", c_void_p), ("rank", c_size_t), ("shape", POINTER(c_int64)),
                ("strides", c_void_p), ("memory", c_int)]

    @classmethod
    def of(cls, name: str, array: np.ndarray) -> Tensor:
        """A float32 or int32 array, which stays where it is."""
        shape = (c_int64 * array.ndim)(*array.shape)
        return cls(name=name.encode(), dtype=int(array.dtype == np.int32), data=array.ctypes.data,
                   rank=array.ndim, shape=shape)


class RunOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("function", c_size_t), ("inputs", POINTER(Tensor)),
                ("input_count", c_size_t), ("outputs", POINTER(Tensor)),
                ("output_count", c_size_t), ("observer", c_void_p), ("callbacks", c_void_p)]


class Library:
    """libsortie.so; errors are exceptions."""

    FILE, RANDOM = 1, 4

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        self.library.sortie_error_message.restype = c_char_p

    def call(self, name: str, *arguments: object) -> None:
        function = getattr(self.library, f"sortie_{name}")
        function.restype = c_void_p
        if error := function(*arguments):
            message = self.library.sortie_error_message(c_void_p(error)).decode()
            raise RuntimeError(f"{name}: {message}")

    def make(self, name: str, *arguments: object) -> c_void_p:
        """What a function writes to its last parameter."""
        made = c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("library", "program", "weights", "function"):
        parser.add_argument(name)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("-o", dest="outputs", required=True)
    parser.add_argument("--eager", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    sortie = Library(given.library)
    program = sortie.make("program_open", given.program.encode())
    function = c_size_t()
    sortie.call("program_find_function", program, given.function.encode(), ctypes.byref(function))
    weights = sortie.make("weights_create", program, ctypes.byref(WeightsOptions(
        source=Library.FILE, path=given.weights.encode(), functions=ctypes.pointer(function),
        function_count=1)))
    session = sortie.make("session_create", program, weights,
                          ctypes.byref(SessionOptions(eager=given.eager)))

    inputs = [np.load(path) for path in given.inputs]
    outputs = [np.full_like(array, np.nan) for array in inputs]
    runs = []
    for hidden, result in zip(inputs, outputs):
        options = RunOptions(function=function.value, input_count=1, output_count=1,
                             inputs=ctypes.pointer(Tensor.of("hidden", hidden)),
                             outputs=ctypes.pointer(Tensor.of("ffn_out", result)))
        runs.append(sortie.make("session_submit", session, ctypes.byref(options)))
    complete = sum(np.isfinite(result).all() for result in outputs)
    for run in runs[1:]:
        sortie.call("run_wait", run)
        sortie.library.sortie_run_destroy(run)
    sortie.library.sortie_session_destroy(session)
    sortie.call("run_wait", runs[0])  # a run may outlive its session
    print(f"{complete} of {len(runs)} runs were complete when all had been submitted")
    np.savez(given.outputs, **{str(i): result for i, result in enumerate(outputs)})


if __name__ == "__main__":
    main()
