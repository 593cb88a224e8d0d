"""Runs the function of caches.mlir again and again in one session through libsortie.so: a program
of its own, as submit_runs.py is.

usage: run_caches.py LIBSORTIE PROGRAM IN.NPZ OUT.NPZ PAGES [--eager]

IN.NPZ has, of run i, the inputs `i.NAME`; OUT.NPZ gets the outputs `i.x` and `i.cached`, or
`i.error`. The caches have PAGES pages.
"""

from __future__ import annotations

import argparse
import ctypes

import numpy as np

from submit_runs import (
    Library,
    RunOptions,
    SessionOptions,
    SymbolValue,
    Tensor,
    WeightsOptions,
)

HIDDEN, WORDS = 256, 16896


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("library", "program", "inputs", "outputs"):
        parser.add_argument(name)
    parser.add_argument("pages", type=int)
    parser.add_argument("--eager", action="store_true")
    given = parser.parse_args()
    sortie = Library(given.library)
    program = sortie.make("program_open", given.program.encode())
    weights = sortie.make("weights_create", program,
                          ctypes.byref(WeightsOptions(source=Library.RANDOM, seed=1)))
    pages = SymbolValue(name=b"pages", value=given.pages)
    session = sortie.make("session_create", program, weights, ctypes.byref(SessionOptions(
        eager=given.eager, symbols=ctypes.pointer(pages), symbol_count=1)))

    runs: dict[str, dict[str, np.ndarray]] = {}
    with np.load(given.inputs) as arrays:
        for key, array in arrays.items():
            run, name = key.split(".")
            runs.setdefault(run, {})[name] = array
    results = {}
    for run, inputs in runs.items():
        outputs = {"x": np.zeros((len(inputs["tokens"]), HIDDEN), np.float32),
                   "cached": np.zeros((len(inputs["pages"]), WORDS), np.int32)}
        read, written = ((Tensor * len(named))(*(Tensor.of(n, a) for n, a in named.items()))
                         for named in (inputs, outputs))
        options = RunOptions(function=0, inputs=read, input_count=len(inputs), outputs=written,
                             output_count=len(outputs))
        try:
            sortie.call("session_run", session, ctypes.byref(options))
            results |= {f"{run}.{name}": array for name, array in outputs.items()}
        except RuntimeError as error:
            results[f"{run}.error"] = np.array(str(error))
    np.savez(given.outputs, **results)


if __name__ == "__main__":
    main()
