"""Runs of the function `forward` of whole models through libsortie.so, with page tables of the
test's own: neither the cache manager nor a tool stands between."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from submit_runs import (
    Library,
    RunOptions,
    SessionOptions,
    Struct,
    SymbolValue,
    Tensor,
    WeightsOptions,
)

#: Positions of a page.
PAGE = 128
NO_PAGE = -1


class ValueInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("dtype", c_int),
                ("rank", c_size_t), ("shape", POINTER(c_int64 * 2)),
                ("shape_symbols", POINTER(c_size_t))]


class StateInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("dtype", c_int),
                ("rank", c_size_t), ("shape", POINTER(c_int64)), ("bytes", c_uint64)]


class ProgramInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("abi", c_uint32), ("numerics", c_uint32),
                ("target", c_char_p), ("contract", c_char_p), ("producer", c_char_p),
                *((name, c_size_t) for name in ("function_count", "weight_count", "symbol_count")),
                ("has_fingerprint", c_int), ("fingerprint", c_uint64),
                ("kernel_count", c_size_t), ("fingerprint_rule", c_int), ("hash_count", c_size_t),
                ("import_options", c_char_p), ("state_count", c_size_t)]


class FunctionInfo(Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p),
                *((name, c_size_t) for name in ("symbol", "input_count", "output_count",
                                                "step_count", "checkpoint_count", "symbol_count")),
                ("symbols", POINTER(c_size_t)), ("target", c_char_p), ("device", c_size_t)]


class Program:
    """A compiled whole model with its weights; `path` is of the program, `weights` of the model."""

    def __init__(self, library: Path, path: Path, weights: Path) -> None:
        self.sortie = Library(str(library))
        self.handle = self.sortie.make("program_open", str(path).encode())
        found = c_size_t()
        self.sortie.call("program_find_function", self.handle, b"forward", byref(found))
        self.function = found.value
        self.weights = self.sortie.make("weights_create", self.handle, byref(WeightsOptions(
            source=Library.FILE, path=str(weights).encode(), threads=1,
            functions=ctypes.pointer(found), function_count=1)))
        info = ProgramInfo()
        self.sortie.library.sortie_program_get_info(self.handle, byref(info))
        self.states = info.state_count
        self.table_pages = self._columns("program_get_input", 3)
        self.vocabulary = self._columns("program_get_output", 0)
        #: How many experts a token has in each layer whose routing the program returns.
        self.experts = [self._columns("program_get_output", 1 + i)
                        for i in range(self._outputs() - 1)]

    def _outputs(self) -> int:
        info = FunctionInfo()
        self.sortie.call("program_get_function", self.handle, c_size_t(self.function), byref(info))
        return info.output_count

    def _columns(self, get: str, index: int) -> int:
        info = ValueInfo()
        self.sortie.call(get, self.handle, c_size_t(self.function), c_size_t(index), byref(info))
        return info.shape[1][1]

    def session(self, pages: int | None = 64, threads: int = 1, isa: str | None = None,
                **symbols: int) -> Session:
        """A session with a cache of `pages` pages; `symbols` are the most of others."""
        return Session(self, pages, threads, isa, symbols)

    def isas(self) -> list[str]:
        """The instruction sets that this machine has."""
        return list(self._isas())

    def _isas(self) -> Iterator[str]:
        get = self.sortie.library.sortie_get_cpu_isa
        get.restype = ctypes.c_void_p
        name, available, index = c_char_p(), c_int(), 0
        while not get(c_size_t(index), byref(name), byref(available)):
            if available.value:
                yield name.value.decode()
            index += 1


class Session:
    """A session, destroyed with the last reference to it."""

    def __init__(self, program: Program, pages: int | None, threads: int, isa: str | None,
                 symbols: dict[str, int]) -> None:
        self.program, self.pages = program, pages
        if pages is not None:
            symbols = {"pages": pages} | symbols
        values = (SymbolValue * len(symbols))(
            *(SymbolValue(name=name.encode(), value=value) for name, value in symbols.items()))
        self.handle = program.sortie.make("session_create", program.handle, program.weights, byref(
            SessionOptions(threads=threads, cpu_isa=isa.encode() if isa else None,
                           symbols=values, symbol_count=len(symbols))))

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.program.sortie.library.sortie_session_destroy(self.handle)

    def forward(self, tokens: np.ndarray, positions: np.ndarray, sequences: np.ndarray,
                pages: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """One run: the logits [R, V] of `rows`. Expert ids [T, k] of each layer, where the program
        returns them, are in `routings` then."""
        named = {"tokens": tokens, "positions": positions, "sequences": sequences, "pages": pages,
                 "rows": rows}
        arrays = {name: np.ascontiguousarray(array, np.int32) for name, array in named.items()}
        logits = np.full((len(rows), self.program.vocabulary), np.nan, np.float32)
        inputs = (Tensor * 5)(*(Tensor.of(name, array) for name, array in arrays.items()))
        self.routings = [np.full((len(tokens), used), -1, np.int32)
                         for used in self.program.experts]
        results = {"logits": logits} | {f"ids_{i}": ids for i, ids in enumerate(self.routings)}
        outputs = (Tensor * len(results))(*(Tensor.of(*result) for result in results.items()))
        options = RunOptions(function=self.program.function, input_count=5,
                             output_count=len(results), inputs=inputs, outputs=outputs)
        self.program.sortie.call("session_run", self.handle, byref(options))
        return logits

    def fill_states(self, byte: int) -> None:
        """Sets every byte of all caches."""
        call = self.program.sortie.call
        for index in range(self.program.states):
            info = StateInfo()
            call("session_get_state", self.handle, c_size_t(index), byref(info))
            data = bytes([byte]) * info.bytes
            call("session_write_state", self.handle, c_size_t(index), data, c_size_t(info.bytes))

    def copy_states(self, other: Session) -> None:
        """Makes the caches those of another session."""
        self.program.sortie.call("session_copy_states", self.handle, other.handle)

    def step(self, pieces: Sequence[Piece], order: np.ndarray | None = None) -> list[np.ndarray]:
        """One run of a piece of each of several texts: the logits of each of its tokens. `order`
        permutes the tokens of the run."""
        tokens = np.concatenate([piece.tokens for piece in pieces])
        positions = np.concatenate([piece.positions for piece in pieces])
        sequences = np.repeat(np.arange(len(pieces)), [len(piece.tokens) for piece in pieces])
        table = np.full((len(pieces), self.program.table_pages), NO_PAGE, np.int32)
        for row, piece in zip(table, pieces):
            row[: len(piece.text.pages)] = piece.text.pages
        order = np.arange(len(tokens)) if order is None else order
        rows = np.argsort(order)
        logits = self.forward(tokens[order], positions[order], sequences[order], table, rows)
        ends = np.cumsum([len(piece.tokens) for piece in pieces])
        return np.split(logits, ends[:-1])


@dataclass
class Text:
    """Tokens, of which the first `length` are in a cache, and the pages that these have there."""

    tokens: np.ndarray
    length: int = 0
    pages: list[int] = field(default_factory=list)

    def next(self, count: int, free: Iterable[int]) -> Piece:
        """The next `count` tokens, or as many as there are, with pages for them from `free`."""
        piece = Piece(self, self.length, min(self.length + count, len(self.tokens)))
        self.length = piece.end
        self.pages.extend(page for _, page in zip(range(len(self.pages), -(-self.length // PAGE)),
                                                  free))
        return piece

    @property
    def is_done(self) -> bool:
        return self.length == len(self.tokens)


@dataclass(frozen=True)
class Piece:
    """Tokens `begin` to `end` of a text."""

    text: Text
    begin: int
    end: int

    @property
    def tokens(self) -> np.ndarray:
        return self.text.tokens[self.begin : self.end]

    @property
    def positions(self) -> np.ndarray:
        return np.arange(self.begin, self.end)
