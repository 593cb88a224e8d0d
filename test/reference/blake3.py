"""BLAKE3 in NumPy, for hashes that the tools state (https://github.com/BLAKE3-team/BLAKE3-specs).

All chunks of an input are compressed at once, then all pairs of each level of the tree.
"""

from __future__ import annotations

import numpy as np

_IV = np.array([0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19], dtype=np.uint32)
_PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_CHUNK, _BLOCK = 1024, 64


def _rotate(x: np.ndarray, bits: int) -> np.ndarray:
    return x >> np.uint32(bits) | x << np.uint32(32 - bits)


def _mix(v: np.ndarray, a: int, b: int, c: int, d: int, x: np.ndarray, y: np.ndarray) -> None:
    v[a] += v[b] + x
    v[d] = _rotate(v[d] ^ v[a], 16)
    v[c] += v[d]
    v[b] = _rotate(v[b] ^ v[c], 12)
    v[a] += v[b] + y
    v[d] = _rotate(v[d] ^ v[a], 8)
    v[c] += v[d]
    v[b] = _rotate(v[b] ^ v[c], 7)


def _compress(value: np.ndarray, block: np.ndarray, counter: np.ndarray, length: int,
              flags: int) -> np.ndarray:
    """The chaining values [8, n] after blocks [16, n]; `value` is [8, n], `counter` [n]."""
    n = block.shape[1]
    v = np.empty((16, n), dtype=np.uint32)
    v[:8] = value
    v[8:12] = _IV[:4, None]
    v[12] = counter.astype(np.uint32)
    v[13] = (counter >> np.uint64(32)).astype(np.uint32)
    v[14], v[15] = length, flags
    m = block
    for _ in range(7):
        for i in range(4):
            _mix(v, i, 4 + i, 8 + i, 12 + i, m[2 * i], m[2 * i + 1])
        for i in range(4):
            _mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4,
                 m[8 + 2 * i], m[9 + 2 * i])
        m = m[_PERMUTATION]
    return v[:8] ^ v[8:]


def _chunks(data: bytes, first: int, count: int, root: int) -> np.ndarray:
    """The chaining values [8, count] of `count` chunks of equal length, from number `first` on."""
    size = len(data) // count
    counter = np.arange(first, first + count, dtype=np.uint64)
    value = np.repeat(_IV[:, None], count, axis=1)
    begins = range(0, max(size, 1), _BLOCK)
    bytes_ = np.frombuffer(data, dtype=np.uint8).reshape(count, size)
    for begin in begins:
        part = bytes_[:, begin:begin + _BLOCK]
        block = np.zeros((count, _BLOCK), dtype=np.uint8)
        block[:, :part.shape[1]] = part
        flags = (_CHUNK_START if begin == 0 else 0) | (
            _CHUNK_END | root if begin == begins[-1] else 0)
        value = _compress(value, np.ascontiguousarray(block.view("<u4").T), counter,
                          part.shape[1], flags)
    return value


def blake3(data: bytes) -> bytes:
    """The first 32 bytes of the hash of `data`."""
    chunks = max(1, -(-len(data) // _CHUNK))
    if chunks == 1:
        return _chunks(data, 0, 1, _ROOT).T.astype("<u4").tobytes()
    split = (chunks - 1) * _CHUNK
    values = np.concatenate([_chunks(data[:split], 0, chunks - 1, 0),
                             _chunks(data[split:], chunks - 1, 1, 0)], axis=1)
    # A left subtree is complete and as large as can be: pairs from the left, a last one that is
    # alone goes up unchanged.
    while values.shape[1] > 1:
        pairs = values.shape[1] // 2
        alone = values[:, 2 * pairs:]
        block = np.concatenate([values[:, 0:2 * pairs:2], values[:, 1:2 * pairs:2]])
        root = _ROOT if values.shape[1] == 2 else 0
        parents = _compress(np.repeat(_IV[:, None], pairs, axis=1), block,
                            np.zeros(pairs, dtype=np.uint64), _BLOCK, _PARENT | root)
        values = np.concatenate([parents, alone], axis=1)
    return values[:, 0].astype("<u4").tobytes()
