"""Sequences of the C API: grown together, forked, cut back, saved and loaded. A program of its own,
because the loader looks for libcuda.so.1 where LD_LIBRARY_PATH was when the process began.

usage: run_sequences.py LIBSORTIE PROGRAM WEIGHTS OUT.NPZ [--device NAME] [--eager]

OUT.NPZ gets the logits of each step, `0`, `1`, and so on, and the bytes of the file, `saved`.
"""

from __future__ import annotations

import argparse
import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np

from submit_runs import Library, SessionOptions, Struct, WeightsOptions


class SequencesOptions(Struct):
    _fields_ = [("struct_size", c_size_t), ("session", POINTER(SessionOptions)),
                *((name, c_int64) for name in ("count", "context", "pages", "run_tokens",
                                               "run_rows"))]


class SequencesInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("vocabulary", c_int64), ("context", c_int64)]


class Piece(Struct):
    _fields_ = [("struct_size", c_size_t), ("sequence", c_uint32), ("tokens", POINTER(c_int32)),
                ("token_count", c_size_t), ("row_count", c_size_t)]


WRITE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


class Sequences:
    """Sequences of a program."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.sortie = Library(given.library)
        program = self.sortie.make("program_open", given.program.encode())
        device = given.device.encode()
        functions = (c_size_t * 4)()
        for index, name in enumerate((b"forward", b"copy_pages", b"read_pages", b"write_pages")):
            found = c_size_t()
            self.sortie.call("program_find_function", program, name, byref(found))
            functions[index] = found.value
        weights = self.sortie.make("weights_create", program, byref(WeightsOptions(
            source=Library.FILE, path=given.weights.encode(), functions=functions,
            function_count=len(functions), device=device)))
        session = SessionOptions(device=device, eager=given.eager)
        self.handle = self.sortie.make("sequences_create", program, weights, byref(
            SequencesOptions(session=ctypes.pointer(session), count=4, run_tokens=64, run_rows=9)))
        info = SequencesInfo()
        self.sortie.call("sequences_get_info", self.handle, byref(info))
        self.vocabulary = info.vocabulary

    def _number(self, call: str, *arguments: object) -> int:
        number = c_uint32()
        self.sortie.call(call, self.handle, *arguments, byref(number))
        return number.value

    def add(self) -> int:
        return self._number("sequences_add")

    def fork(self, sequence: int) -> int:
        return self._number("sequences_fork", c_uint32(sequence))

    def load(self, data: bytes) -> int:
        return self._number("sequences_load", c_char_p(data), c_size_t(len(data)))

    def truncate(self, sequence: int, length: int) -> None:
        self.sortie.call("sequences_truncate", self.handle, c_uint32(sequence), c_int64(length))

    def run(self, *pieces: tuple[int, np.ndarray, int]) -> np.ndarray:
        """Sequences with the tokens they go on with and how many rows of logits are wanted."""
        arrays = [np.ascontiguousarray(tokens, np.int32) for _, tokens, _ in pieces]
        list_of = (Piece * len(pieces))(*(
            Piece(sequence=sequence, tokens=array.ctypes.data_as(POINTER(c_int32)),
                  token_count=len(array), row_count=rows)
            for (sequence, _, rows), array in zip(pieces, arrays)))
        logits = np.full((sum(rows for *_, rows in pieces), self.vocabulary), np.nan, np.float32)
        self.sortie.call("sequences_run", self.handle, list_of, c_size_t(len(pieces)),
                         c_void_p(logits.ctypes.data), c_size_t(logits.size))
        return logits

    def save(self, sequence: int) -> bytes:
        parts: list[bytes] = []

        def write(_user: int, data: int, size: int) -> int:
            parts.append(ctypes.string_at(data, size))
            return 0

        self.sortie.call("sequences_save", self.handle, c_uint32(sequence), WRITE(write), None)
        return b"".join(parts)


def scenario(sequences: Sequences) -> tuple[list[np.ndarray], bytes]:
    """The logits of each step, and a saved sequence."""
    tokens = np.random.default_rng(3).integers(sequences.vocabulary, size=(2, 200))
    first, second = sequences.add(), sequences.add()
    logits = [sequences.run((second, tokens[1, :70], 2), (first, tokens[0, :140], 3))]
    third = sequences.fork(first)
    logits.append(sequences.run((third, tokens[1, 100:], 1), (first, tokens[0, 140:150], 10)))
    fourth = sequences.fork(third)
    sequences.truncate(fourth, 130)
    logits.append(sequences.run((fourth, tokens[1, :5], 5), (second, tokens[1, 70:75], 0)))
    saved = sequences.save(first)
    sequences.sortie.call("sequences_remove", sequences.handle, c_uint32(second))
    loaded = sequences.load(saved)
    logits.append(sequences.run((loaded, tokens[0, 150:], 4), (first, tokens[0, 150:], 4)))
    return logits, saved


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("library", "program", "weights", "output"):
        parser.add_argument(name)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--eager", action="store_true")
    given = parser.parse_args()
    sequences = Sequences(given)
    logits, saved = scenario(sequences)
    sequences.sortie.library.sortie_sequences_destroy(sequences.handle)
    np.savez(given.output, saved=np.frombuffer(saved, np.uint8),
             **{str(step): rows for step, rows in enumerate(logits)})


if __name__ == "__main__":
    main()
