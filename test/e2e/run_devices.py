"""Runs the functions of test/tools/sortie-run/Inputs/devices.mlir in one session through
libsortie.so: a program of its own, as submit_runs.py is.

usage: run_devices.py LIBSORTIE PROGRAM X.NPY OUT.NPZ [--submit]

OUT.NPZ gets all outputs by their names. Prints the devices of the session, then the target and
device of each function.
"""

from __future__ import annotations

import argparse
import ctypes
from ctypes import POINTER, c_char_p, c_size_t

import numpy as np

from submit_runs import Library, RunOptions, SessionOptions, Struct, Tensor, WeightsOptions


class FunctionInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("symbol", c_size_t),
                ("input_count", c_size_t), ("output_count", c_size_t), ("step_count", c_size_t),
                ("checkpoint_count", c_size_t), ("symbol_count", c_size_t),
                ("symbols", POINTER(c_size_t)), ("target", c_char_p), ("device", c_size_t)]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("library", "program", "x", "outputs"):
        parser.add_argument(name)
    parser.add_argument("--submit", action="store_true", help="wait only where a value is needed")
    given = parser.parse_args()
    sortie = Library(given.library)
    sortie.library.sortie_session_device.restype = c_char_p
    program = sortie.make("program_open", given.program.encode())
    weights = sortie.make("weights_create", program,
                          ctypes.byref(WeightsOptions(source=Library.RANDOM, seed=1)))
    session = sortie.make("session_create", program, weights, ctypes.byref(SessionOptions()))
    print(sortie.library.sortie_session_device(session).decode())

    x = np.load(given.x)
    tokens, hidden = x.shape
    arrays = {"x": x, "n": np.empty_like(x), "ids": np.empty((tokens, 2), np.int32),
              "w": np.empty((tokens, 2), np.float32), "y": np.empty_like(x),
              "z": np.empty_like(x)}
    calls = [("route", ["x"], ["n", "ids", "w"]), ("experts", ["n", "ids", "w"], ["y"]),
             ("finish", ["x", "y"], ["z"])]
    for name, inputs, outputs in calls:
        function = c_size_t()
        sortie.call("program_find_function", program, name.encode(), ctypes.byref(function))
        info = FunctionInfo()
        sortie.call("program_get_function", program, function, ctypes.byref(info))
        print(name, info.target.decode(), info.device)
        read, written = ((Tensor * len(names))(*(Tensor.of(n, arrays[n]) for n in names))
                         for names in (inputs, outputs))
        options = RunOptions(function=function.value, inputs=read, input_count=len(inputs),
                             outputs=written, output_count=len(outputs))
        if given.submit:
            sortie.call("session_submit", session, ctypes.byref(options), None)
            sortie.call("session_wait", session)
        else:
            sortie.call("session_run", session, ctypes.byref(options))
    np.savez(given.outputs, **arrays)


if __name__ == "__main__":
    main()
