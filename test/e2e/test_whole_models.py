"""Whole models from tokens to logits: what they compute, judged by the references of
test/models/references, and that nothing changes a bit: the batch, the pieces in which a prompt
comes, the pages of the cache, threads, instruction sets.

By default on models that differ in everything that could show; SORTIE_EXHAUSTIVE=1 takes all of
them, in all widths, and 2,000 random runs instead of 100.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from forward import NO_PAGE, PAGE, Program, Session, Text
from gguf_model import Model
from tools import ToolError, Tools
from whole_model import WholeModel

MODELS = Path(__file__).parents[1] / "models"
EXHAUSTIVE = bool(os.environ.get("SORTIE_EXHAUSTIVE"))

#: Models that the importer refuses, with the reason that it gives.
REFUSED = {name: "this version does not have their attention"
           for name in ("deepseek-v2", "deepseek-v3")}
NAMES = sorted(path.parent.name for path in MODELS.glob("references/*/reference.npz"))
SUPPORTED = [name for name in NAMES if name not in REFUSED]
each_model = pytest.mark.parametrize("name", SUPPORTED)

WIDTHS = {"int16": {}, "kv": {"kv": "int8"}, "activations": {"activations": "int8"},
          "both": {"kv": "int8", "activations": "int8"}}


def path_of(name: str) -> Path:
    return MODELS / "references" / name / "model.gguf"


@cache
def reference(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(path_of(name).with_name("reference.npz")))


def errors(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Squared error over squared logits, of each token [..., V]."""
    return np.square(actual - expected).sum(axis=-1) / np.square(expected).sum(axis=-1)


def nmse(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.square(actual - expected).sum() / np.square(expected).sum())


def random_tokens(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(reference("llama")["logits"].shape[-1], size=count)


@pytest.fixture(scope="module")
def load(tools: Tools) -> Callable[..., Program]:
    """The reference model `name`, compiled with WIDTHS[width] and loaded once."""
    loaded: dict[tuple, Program] = {}

    def get(name: str, width: str = "int16", context: int | None = None) -> Program:
        key = (name, width, context)
        if key not in loaded:
            program = tools.compile_whole(path_of(name), context, name=f"{name}-{width}",
                                          **WIDTHS[width])
            loaded[key] = Program(tools.library, program, path_of(name))
        return loaded[key]

    return get


# --- what is computed -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_refused_models(name: str, tools: Tools) -> None:
    """Those that this file passes over: with this message gone, they belong to the others."""
    with pytest.raises(ToolError, match=f"not imported, for {REFUSED[name]}; --what=ffn imports"):
        tools.compile_whole(path_of(name), name=name)


def logits_of_references(program: Program, name: str) -> np.ndarray:
    """Of both sequences of a reference, in one run."""
    free = itertools.count()
    texts = [Text(tokens) for tokens in reference(name)["tokens"]]
    return np.stack(program.session().step([text.next(PAGE, free) for text in texts]))


@each_model
def test_logits(name: str, load: Callable) -> None:
    """Measured: 1.6e-8 (olmoe) to 3.0e-7 (llama, whose last norm makes errors four times as large
    beside its small embedding)."""
    actual = logits_of_references(load(name), name)
    assert nmse(actual, reference(name)["logits"]) <= 1e-6


#: Of the error of a token, the median. One limb has an error of some 0.7 % of the root mean square
#: in each vector (a step of 1/127 of the largest of 128 normal numbers, over the square root of
#: 12), 5e-5 when squared, for each of four vectors a layer of attention with kv=int8, and for each
#: of seven with activations=int8. Measured: up to 4.3e-4 and 2.9e-3, both of llama. The mean would
#: say how often other experts are chosen than by the reference, and these are different numbers:
#: 1.6 of a token's squared logits.
MEDIANS = {"kv": 6e-4, "activations": 4e-3, "both": 4e-3}


@each_model
@pytest.mark.parametrize("width", MEDIANS)
def test_logits_of_bytes(name: str, width: str, load: Callable) -> None:
    actual = logits_of_references(load(name, width), name)
    median = np.median(errors(actual, reference(name)["logits"]))
    # Below 1e-6 the option would have done nothing.
    assert 1e-6 < median < MEDIANS[width]


#: What a logit may be off by, in root mean squares of logits: measured up to 3.1e-3. A token is
#: decided when its margin is more than twice that.
LOGIT_ERROR = 5e-3
#: The same of margins of routing. All that a reference has are larger, so experts are decided.
ROUTING_ERROR = 1e-4


def decided(margins: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Whether int16 has to choose the reference's token."""
    return margins > 2 * LOGIT_ERROR * np.sqrt(np.square(logits).mean())


@each_model
def test_greedy_tokens_of_the_reference(name: str, load: Callable) -> None:
    """Each token of the reference's generation from all before it: a token that is not decided
    must not hide those that follow it. Where all agree, so does generation by itself."""
    expected = reference(name)
    program, count = load(name), len(expected["prompt"])
    assert expected.get("generated_routing_margins", np.ones(1)).min() > ROUTING_ERROR
    session, free = program.session(), itertools.count()
    text = Text(np.concatenate([expected["prompt"], expected["generated"]])[:-1])
    logits = [session.step([text.next(count, free)])[0][-1:]]
    while not text.is_done:
        logits += session.step([text.next(1, free)])
    best = np.concatenate(logits).argmax(axis=-1)
    must = decided(expected["generated_margins"], expected["logits"])
    assert must.sum() >= 36
    np.testing.assert_array_equal(best[must], expected["generated"][must])


PROMPTS = ("the end of an other thing", "in the winter they sang", "er", "<|begin|>and then 1, 2, 3")


def generate(tools: Tools, program: Path, weights: Path, *arguments: object) -> list[dict]:
    """The texts of sortie-run generate, in the order of their prompts."""
    return json.loads(tools.call("sortie-run", "generate", program, "--weights", weights,
                                 "-o=json", "--ignore-eos", *arguments))


def ids_of(text: dict) -> list[int]:
    return [token["id"] for token in text["tokens"]]


@each_model
def test_generate(name: str, tools: Tools) -> None:
    """Greedy, of a batch of texts: the float64 model with the tool's tokens before chooses the
    same next one, wherever its margin decides."""
    program = tools.compile_whole(path_of(name), name=f"{name}-int16")
    model = WholeModel(Model(path_of(name)))
    end = model.run(np.zeros(1, int)).logits.shape[-1] - 1
    lines = tools.folder / "prompts.txt"
    lines.write_text("\n".join(PROMPTS))
    checked = 0
    for text in generate(tools, program, path_of(name), "--prompts", lines, "-n", 24):
        prompt, chosen = text["prompt_tokens"], np.array(ids_of(text))
        result = model.run(np.array([*prompt, *chosen[:-1]]))
        logits = np.delete(result.logits[len(prompt) - 1 :], end, axis=-1)
        second, best = np.sort(logits)[:, -2:].T
        # After experts that are not decided, nothing is.
        routing = np.min([[np.inf] * len(result.logits), *(r.margin for r in result.routings)], 0)
        clear = np.minimum.accumulate(routing)[len(prompt) - 1 :] > ROUTING_ERROR
        must = decided(best - second, logits) & clear
        np.testing.assert_array_equal(logits.argmax(axis=-1)[must], chosen[must])
        checked += must.sum()
    assert checked >= 24


def test_perplexity_of_the_trained_model(tools: Tools) -> None:
    expected = np.load(MODELS / "tiny-qwen3moe" / "q4_0.logits.npz")
    path = MODELS / "tiny-qwen3moe" / "tiny-qwen3moe-q4_0.gguf"
    ids, output = tools.folder / "ids.npy", tools.folder / "logits.npy"
    np.save(ids, expected["tokens"].astype(np.int32))
    tools.call("sortie-run", "logits", tools.compile_whole(path), "--weights", path, "--tokens",
               ids, "--output", output)
    logits = np.load(output).astype(np.float64)
    chosen = np.take_along_axis(logits[:, :-1], expected["tokens"][:, 1:, None], axis=-1)[..., 0]
    loss = np.log(np.exp(logits[:, :-1]).sum(axis=-1)) - chosen
    assert nmse(logits[:, -1], expected["last"]) <= 1e-6
    assert np.exp(loss.mean()) == pytest.approx(np.exp(expected["nll"].mean()), rel=5e-4)


# --- the contract ---------------------------------------------------------------------------------

#: Chunks of 128 positions, spans of 512: more than one of both, and a piece of a third.
TOKENS = 600
CONTEXT = 1024
#: A window and sinks; norms of heads; neighbours that turn, with factors; shared experts; one norm
#: of all heads.
CONTRACT = [("gpt-oss", "int16"), ("qwen3moe", "int16"), ("llama", "kv"), ("mixtral", "both"),
            ("qwen2moe", "activations"), ("olmoe", "int16")]
if EXHAUSTIVE:
    CONTRACT = list(itertools.product(SUPPORTED, WIDTHS))


@pytest.fixture(params=CONTRACT, ids="-".join)
def program(request: pytest.FixtureRequest, load: Callable) -> Program:
    name, width = request.param
    return load(name, width, CONTEXT)


def run_whole(session: Session, text: Text, piece: int, free: Iterator[int],
              others: list[Text] = (), order: np.random.Generator | None = None) -> np.ndarray:
    """Logits of all tokens of `text`, `piece` of them a run, with pieces of others in each run."""
    parts = []
    while not text.is_done:
        going = [other for other in others if not other.is_done]
        count = min(piece, len(text.tokens) - text.length)
        pieces = [other.next(1 + (index * 37 + text.length) % 150, free)
                  for index, other in enumerate(going)]
        place = len(pieces) // 2
        pieces.insert(place, text.next(count, free))
        total = sum(len(one.tokens) for one in pieces)
        permuted = None if order is None else order.permutation(total)
        parts.append(session.step(pieces, permuted)[place])
    return np.concatenate(parts)


@pytest.fixture
def expected(program: Program) -> np.ndarray:
    """The logits of the text alone, in one piece."""
    return run_whole(program.session(), Text(random_tokens(1, TOKENS)), TOKENS, itertools.count())


def same(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Equal bits, NaNs and signs of zero included."""
    return actual.shape == expected.shape and actual.tobytes() == expected.tobytes()


def test_pieces_do_not_show(program: Program, expected: np.ndarray) -> None:
    session = program.session()
    for piece in (1, 7, 128, 129, 512):
        actual = run_whole(session, Text(random_tokens(1, TOKENS)), piece, itertools.count())
        assert same(actual, expected), f"pieces of {piece}"


@pytest.mark.parametrize("count", [1, 6, 33])
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


def test_logits_of_the_tool_are_those_of_forward(tools: Tools, load: Callable) -> None:
    name = "gpt-oss"
    program = load(name, context=CONTEXT)
    tokens = random_tokens(1, 400).reshape(2, 200)
    expected = [run_whole(program.session(), Text(row), 200, itertools.count()) for row in tokens]
    ids, output = tools.folder / "ids.npy", tools.folder / "logits.npy"
    np.save(ids, tokens.astype(np.int32))
    compiled = tools.compile_whole(path_of(name), CONTEXT, name=f"{name}-int16")
    for threads, isa in ((1, "portable"), (2, program.isas()[-1])):
        tools.call("sortie-run", "logits", compiled, "--weights", path_of(name), "--tokens", ids,
                   "--output", output, f"--threads={threads}", f"--cpu-isa={isa}")
        assert same(np.load(output), np.stack(expected)), f"{threads} threads, {isa}"


@pytest.mark.parametrize("name, width", CONTRACT)
def test_samples_do_not_see_their_batch(name: str, width: str, tools: Tools) -> None:
    """The place of a prompt in the list is part of its seed, so it stays first."""
    program = tools.compile_whole(path_of(name), name=f"{name}-{width}", **WIDTHS[width])
    lines = tools.folder / "lines.txt"

    def tokens(prompts: tuple[str, ...], seed: int) -> list[list[int]]:
        lines.write_text("\n".join(prompts))
        texts = generate(tools, program, path_of(name), "--prompts", lines, "-n", 40,
                         "--temp", 1.2, "--top-p", 0.95, "--seed", seed)
        return [ids_of(text) for text in texts]

    alone, together = tokens(PROMPTS[:1], 5), tokens(PROMPTS, 5)
    assert len(alone[0]) == 40 and together[0] == alone[0]
    assert len(set(map(tuple, together))) == len(PROMPTS)
    assert tokens(PROMPTS[:1], 5) == alone != tokens(PROMPTS[:1], 6)


#: Texts that come and go in random runs.
SOAK_TEXTS, SOAK_PAGES, SOAK_RUNS = 24, 72, 2000 if EXHAUSTIVE else 100
SOAK_PIECES = (1, 1, 1, 2, 5, 32, 127, 128, 129, 300)


def checksum(parts: list[np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name, width", CONTRACT[:2])
def test_soak(name: str, width: str, load: Callable) -> None:
    """Random runs of random pieces of texts, which take pages that others gave back, and begin
    anew when they are done: each has the checksum that it has alone."""
    rng = np.random.default_rng(7)
    program = load(name, width, CONTEXT)
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
