"""The contract of whole models, on bits: neither the batch shows in a logit, nor the pieces in
which a prompt comes, the pages of the cache, threads, or instruction sets.

By default on models that differ in everything that could show; SORTIE_EXHAUSTIVE=1 takes all of
them, in all widths, and 2,000 random runs instead of 100.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from forward import NO_PAGE, PAGE, Program, Text
from gguf_model import Model
from make_gguf import write_model
from presets import DENSE_PRESETS, parse_types, scaled
from reference_programs import (
    SUPPORTED,
    WIDTHS,
    ReferencePrograms,
    nmse,
    path_of,
    random_tokens,
    run_whole,
    same,
)
from tools import PROMPTS, Tools, ids_of
from whole_model import WholeModel

EXHAUSTIVE = bool(os.environ.get("SORTIE_EXHAUSTIVE"))

#: Chunks of 128 positions, spans of 512: more than one of both, and a piece of a third.
TOKENS = 600
CONTEXT = 1024
#: A window and sinks; norms of heads; neighbours that turn, with factors; shared experts; one norm
#: of all heads; latents; scales; heads of which half turns.
CONTRACT = [("gpt-oss", "int16"), ("qwen3moe", "int16"), ("llama", "kv"), ("mixtral", "both"),
            ("qwen2moe", "activations"), ("olmoe", "int16"), ("deepseek-v2", "int16"),
            ("deepseek-v3", "kv"), ("granitemoe", "int16"), ("glm4moe", "both")]
if EXHAUSTIVE:
    CONTRACT = list(itertools.product(SUPPORTED, WIDTHS))


@pytest.fixture(params=CONTRACT, ids="-".join)
def program(request: pytest.FixtureRequest, programs: ReferencePrograms) -> Program:
    name, width = request.param
    return programs.load(name, width, CONTEXT)


@pytest.fixture
def expected(program: Program) -> np.ndarray:
    """The logits of the text alone, in one piece."""
    return run_whole(program.session(), Text(random_tokens(1, TOKENS)), TOKENS, itertools.count())


def test_pieces_do_not_show(program: Program, expected: np.ndarray) -> None:
    session = program.session()
    for piece in (1, 7, 128, 129, 512):
        actual = run_whole(session, Text(random_tokens(1, TOKENS)), piece, itertools.count())
        assert same(actual, expected), f"pieces of {piece}"


@pytest.mark.parametrize("count", [2, 7, 33])
def test_a_batch_does_not_show(program: Program, expected: np.ndarray, count: int) -> None:
    """Other texts of other lengths, which come and end while the text goes on, in runs whose tokens
    are in no order."""
    rng = np.random.default_rng(count)
    others = [Text(random_tokens(100 + i, rng.integers(1, TOKENS))) for i in range(count)]
    pages = rng.permutation((count + 1) * (TOKENS // PAGE + 1))
    actual = run_whole(program.session(pages=len(pages)), Text(random_tokens(1, TOKENS)), 150,
                       iter(pages.tolist()), others, order=rng)
    assert same(actual, expected)


def test_pages_do_not_show(program: Program, expected: np.ndarray) -> None:
    """Pages in reverse, of a large cache, and full of another text's keys."""
    session = program.session(pages=300)
    for pages, first in ((range(299, 0, -1), 2), (range(299, 0, -1), 1), (range(294, 300), 1)):
        actual = run_whole(session, Text(random_tokens(first, TOKENS)), 200, iter(pages))
        assert same(actual, expected) == (first == 1)


def test_what_pages_hold_does_not_show(program: Program, expected: np.ndarray) -> None:
    """Positions that a text has not reached are not read, even if they hold NaN."""
    session = program.session(pages=8)
    session.fill_states(0xFF)
    actual = run_whole(session, Text(random_tokens(1, TOKENS)), 130, itertools.count())
    assert np.isfinite(actual).all() and same(actual, expected)


def test_shared_pages_do_not_show(program: Program, expected: np.ndarray) -> None:
    """Two texts that begin alike read the same pages, and go on in their own."""
    session, free = program.session(), itertools.count()
    text = Text(random_tokens(1, TOKENS))
    begin = session.step([text.next(2 * PAGE, free)])[0]
    tokens = np.concatenate([text.tokens[: 2 * PAGE], random_tokens(3, 100)])
    other = Text(tokens, text.length, list(text.pages))
    rest = run_whole(session, text, 90, free, [other])
    assert same(np.concatenate([begin, rest]), expected)
    assert other.is_done and other.pages[:2] == text.pages[:2] and other.pages[2] != text.pages[2]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_instruction_sets_do_not_show(program: Program, expected: np.ndarray,
                                                  threads: int) -> None:
    """A prompt of over a chunk with another text, then tokens one by one."""
    count = TOKENS if EXHAUSTIVE else 140
    for isa in program.isas():
        session, free = program.session(threads=threads, isa=isa), itertools.count()
        text, other = Text(random_tokens(1, count)), Text(random_tokens(2, 50))
        begin = session.step([other.next(50, free), text.next(count - 6, free)])[1]
        actual = np.concatenate([begin, run_whole(session, text, 1, free)])
        assert same(actual, expected[:count]), isa


def test_sessions_do_not_see_each_other(program: Program, expected: np.ndarray) -> None:
    """Two at once, of the same weights."""
    def run(first: int) -> np.ndarray:
        return run_whole(program.session(threads=2), Text(random_tokens(first, TOKENS)), 50,
                         itertools.count())

    with ThreadPoolExecutor(2) as pool:
        actual, other = pool.map(run, (1, 2))
    assert same(actual, expected) and not same(other, expected)


def test_rows_do_not_show(program: Program, expected: np.ndarray) -> None:
    """Logits of some tokens, in any order, and of none."""
    session, text = program.session(), Text(random_tokens(1, TOKENS))
    piece = text.next(300, itertools.count())
    table = np.full((3, program.table_pages), NO_PAGE, np.int32)
    table[1, : len(text.pages)] = text.pages
    arguments = piece.tokens, piece.positions, np.ones(300), table
    for rows in ([], [299], [7, 3, 3, 250]):
        assert same(session.forward(*arguments, np.array(rows, int)), expected[:300][rows])


def test_no_tokens(program: Program) -> None:
    nothing = np.zeros(0, int)
    table = np.zeros((0, program.table_pages), int)
    logits = program.session().forward(nothing, nothing, nothing, table, nothing)
    assert logits.shape == (0, program.vocabulary)


def test_logits_of_the_tool_are_those_of_forward(tools: Tools, programs: ReferencePrograms) -> None:
    name = "gpt-oss"
    program = programs.load(name, context=CONTEXT)
    tokens = random_tokens(1, 400).reshape(2, 200)
    expected = [run_whole(program.session(), Text(row), 200, itertools.count()) for row in tokens]
    ids, output = tools.folder / "ids.npy", tools.folder / "logits.npy"
    np.save(ids, tokens.astype(np.int32))
    compiled = programs.path(name, context=CONTEXT)
    for threads, isa in ((1, "portable"), (2, program.isas()[-1])):
        tools.call("sortie-run", "logits", compiled, "--weights", path_of(name), "--tokens", ids,
                   "--output", output, f"--threads={threads}", f"--cpu-isa={isa}")
        assert same(np.load(output), np.stack(expected)), f"{threads} threads, {isa}"


@pytest.mark.parametrize("name, width", CONTRACT)
def test_samples_do_not_see_their_batch(name: str, width: str, tools: Tools,
                                        programs: ReferencePrograms) -> None:
    """The place of a prompt in the list is part of its seed, so it stays first."""
    program = programs.path(name, width)

    def tokens(prompts: tuple[str, ...], seed: int) -> list[list[int]]:
        texts = tools.generate(program, path_of(name), prompts, "-n", 40, "--ignore-eos",
                               "--temp", 1.2, "--top-p", 0.95, "--seed", seed)
        return [ids_of(text) for text in texts]

    alone, together = tokens(PROMPTS[:1], 5), tokens(PROMPTS, 5)
    assert len(alone[0]) == 40 and together[0] == alone[0]
    assert len(set(map(tuple, together))) == len(PROMPTS)
    assert tokens(PROMPTS[:1], 5) == alone != tokens(PROMPTS[:1], 6)


def test_samples_do_not_see_others_end(tools: Tools, programs: ReferencePrograms) -> None:
    """Texts that end at a token, each when it draws one: the same lines with other ones around."""
    name, letters = "qwen3moe", "abcdefghijkl"

    def texts(prompts: list[str]) -> list[dict]:
        return tools.generate(programs.path(name), path_of(name), prompts, "-n", 150, "--temp", 3,
                              "--seed", 1, "--threads", 2)

    mixed = [letter if index % 3 else letter * 9 for index, letter in enumerate(letters)]
    some, others = texts(list(letters)), texts(mixed)
    for index, (text, other) in enumerate(zip(some, others)):
        assert (text == other) == (index % 3 != 0)
    assert {text["end"] for text in some} == {"end-token", "tokens"}


#: Texts that come and go in random runs.
SOAK_TEXTS, SOAK_PAGES, SOAK_RUNS = 24, 72, 2000 if EXHAUSTIVE else 100
SOAK_PIECES = (1, 1, 1, 2, 5, 32, 127, 128, 129, 300)


def checksum(parts: list[np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name, width", [("gpt-oss", "int16"), ("qwen3moe", "both")])
def test_soak(name: str, width: str, programs: ReferencePrograms) -> None:
    """Random runs of random pieces of texts, which take pages that others gave back, and begin
    anew when they are done: each has the checksum that it has alone."""
    rng = np.random.default_rng(7)
    program = programs.load(name, width, CONTEXT)
    alone = program.session()
    texts = [Text(random_tokens(i, rng.integers(1, CONTEXT))) for i in range(SOAK_TEXTS)]
    known = [checksum([run_whole(alone, Text(text.tokens), CONTEXT, itertools.count())])
             for text in texts]
    session = program.session(pages=SOAK_PAGES, threads=2)
    free = rng.permutation(SOAK_PAGES).tolist()
    parts: list[list[np.ndarray]] = [[] for _ in texts]
    finished = 0
    for run in range(SOAK_RUNS):
        chosen, pieces = [], []
        for index in rng.permutation(SOAK_TEXTS)[: rng.integers(1, 13)]:
            text = texts[index]
            count = int(rng.choice(SOAK_PIECES))
            end = min(text.length + count, len(text.tokens))
            if len(text.pages) + len(free) >= -(-end // PAGE):
                chosen.append(index)
                pieces.append(text.next(count, iter(free.pop, None)))
        if not pieces:
            # No page is left for any of these: one text begins anew before it is done.
            index = int(np.argmax([len(text.pages) for text in texts]))
            free.extend(texts[index].pages)
            parts[index], texts[index] = [], Text(texts[index].tokens)
            continue
        total = sum(len(piece.tokens) for piece in pieces)
        for index, part in zip(chosen, session.step(pieces, rng.permutation(total))):
            parts[index].append(part)
            if texts[index].is_done:
                assert checksum(parts[index]) == known[index], f"text {index}, run {run}"
                free.extend(texts[index].pages)
                parts[index], texts[index] = [], Text(texts[index].tokens)
                finished += 1
    assert finished >= SOAK_RUNS / 8


LONG = 32768


@pytest.fixture(scope="module")
def long_model(tools: Tools) -> Path:
    """One layer of two narrow heads, with scores so large that few of many tokens are seen."""
    preset = scaled(DENSE_PRESETS["llama-3.2-1b"], layers=1, divisor=32)
    sizes = {"vocab_size": 512, "attention.head_count": 2, "attention.head_count_kv": 1,
             "attention.key_length": 32, "attention.value_length": 32, "rope.dimension_count": 32}
    preset = replace(preset, rotation_factors=False, metadata=preset.metadata | sizes)
    path = tools.folder / "long.gguf"
    write_model(path, preset, parse_types("q8_0"), whole=True)
    norm = next(tensor.data for tensor in gguf.GGUFReader(path, "r+").tensors
                if tensor.name == "blk.0.attn_norm.weight")
    norm *= 2.5
    norm.flush()
    return path


def test_long_context(long_model: Path, tools: Tools) -> None:
    """The last of 32,768 tokens: as in float64, and the same bits when they come one by one, by
    another instruction set, from a copied cache."""
    program = Program(tools.library, tools.compile_whole(long_model, LONG), long_model)
    tokens = np.random.default_rng(5).integers(program.vocabulary, size=LONG)
    session, free = program.session(pages=LONG // PAGE, threads=2), itertools.count()
    text = Text(tokens)
    while not text.is_done:
        logits = session.step([text.next(4096, free)])[0][-64:]
    model = WholeModel(Model(long_model))
    assert nmse(logits, model.run(tokens, last=64).logits) <= 1e-6
    # Were the first half another one, the logits would be others: they are seen.
    changed = np.concatenate([tokens[: LONG // 2][::-1], tokens[LONG // 2 :]])
    assert nmse(logits, model.run(changed, last=64).logits) > 1e-2
    for isa in program.isas():
        other = program.session(pages=LONG // PAGE, isa=isa)
        other.copy_states(session)
        again = Text(tokens, LONG - 20, text.pages)
        assert same(run_whole(other, again, 1, free), logits[-20:]), isa
