"""`sortie-run generate` on the trained model: each token and its probability against the logits
that `sortie-run logits` has, by an implementation of sampling written from the contract. And these
logits do not depend on how sequences are cut into runs."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest

import sampling
from sampling import Rule
from tools import ToolError, Tools

MODEL = (Path(__file__).resolve().parents[1] / "models" / "tiny-qwen3moe"
         / "tiny-qwen3moe-q4_0.gguf")
END = 1  # the only end token, which --ignore-eos bans
PROMPTS = ["In the beginning God", "And he said unto them,", "A"]
RULES = [Rule(), Rule(penalty=1.3), Rule(temperature=1, seed=5), Rule(temperature=1.5, top_k=7),
         Rule(temperature=0.7, top_p=0.9), Rule(temperature=1, min_p=0.03, seed=2**63),
         Rule(temperature=2, top_k=100, top_p=0.8, min_p=0.01, penalty=1.1, seed=1)]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Path:
    path = tmp_path_factory.mktemp("generation") / "model.mlir"
    tools.call("sortie-translate", "--import-gguf", MODEL, "-o", path)
    return path


def compile_graph(tools: Tools, graph: Path, options: str) -> Path:
    program = graph.with_name(f"{options or 'plain'}.mlirbc")
    tools.call("sortie-opt", graph, f"--sortie-compile=target=cpu {options}", "--emit-bytecode",
               "-o", program)
    return program


@pytest.fixture(scope="module")
def program(graph: Path, tools: Tools) -> Path:
    return compile_graph(tools, graph, "")


# The shorter texts pass the edge of a page, too, and take the sanitizers half of the time.
@pytest.mark.parametrize("length", [pytest.param(140, marks=pytest.mark.sanitizer), 300])
def test_runs_of_any_length(length: int, graph: Path, program: Path, tools: Tools,
                            tmp_path: Path) -> None:
    ids, output = tmp_path / "ids.npy", tmp_path / "logits.npy"
    np.save(ids, np.random.default_rng(5).integers(0, 4096, (2, length), dtype=np.int32))

    def logits(program: Path) -> bytes:
        tools.call("sortie-run", "logits", program, "--weights", MODEL, "--tokens", ids,
                   "--output", output)
        return output.read_bytes()

    expected = logits(program)  # in one run
    for tokens in (1, 7, 128, 129):
        assert logits(compile_graph(tools, graph, f"max-tokens={tokens}")) == expected, tokens


@pytest.mark.sanitizer
@pytest.mark.parametrize("words", [3, 200])
def test_samples(words: int, program: Path, tools: Tools, tmp_path: Path) -> None:
    """Texts that are forked from one prompt, in its first page and after it, are those of a batch
    of equal prompts: tokens, and each bit of their probabilities."""
    prompt, prompts = tmp_path / "prompt", tmp_path / "prompts"
    prompt.write_text(" ".join(["In the beginning God", *["begat"] * words]))
    prompts.write_text("\n".join([prompt.read_text()] * 4))
    options = ["-n", 40, "--temp", 1, "-o", "json", "--ignore-eos"]
    run = ["sortie-run", "generate", program, "--weights", MODEL, *options]
    sampled = json.loads(tools.call(*run, "--prompt-file", prompt, "--samples", 4))
    assert sampled == json.loads(tools.call(*run, "--prompts", prompts))
    assert len({text["text"] for text in sampled}) == 4


@pytest.mark.sanitizer
def test_saved_prompts(program: Path, tools: Tools, tmp_path: Path) -> None:
    """A text that goes on from a file has the tokens, and each bit of their probabilities, that it
    has without; so have samples that are forked from it."""
    words, cache = ["In the beginning God", *["begat"] * 200], tmp_path / "cache"

    def generate(count: int, *options: str | Path) -> list[dict]:
        return json.loads(tools.call(
            "sortie-run", "generate", program, "--weights", MODEL, "--prompt",
            " ".join(words[:count]), "-n", 20, "-o", "json", "--temp", 1, "--samples", 2, *options))

    for count in (2, 60, 200, 201, 201):
        assert generate(count, "--prompt-cache", cache) == generate(count), count
    expected = cache.read_bytes()
    cache.unlink()
    generate(201, "--prompt-cache", cache, "--threads", "1")
    assert cache.read_bytes() == expected


def test_saved_prompts_of_other_widths(graph: Path, program: Path, tools: Tools,
                                       tmp_path: Path) -> None:
    cache, run = tmp_path / "cache", ["--weights", MODEL, "--prompt", "And God", "-n", 1]
    tools.call("sortie-run", "generate", program, *run, "--prompt-cache", cache)
    for option, message in [("activations=int8", "activations of 16 bits, the program's have 8"),
                            ("kv=int8", "elements of 16 bits, the program's has")]:
        other = compile_graph(tools, graph, option)
        with pytest.raises(ToolError, match=message):
            tools.call("sortie-run", "generate", other, *run, "--prompt-cache", cache)


def test_memory_that_is_not_there(program: Path, tools: Tools) -> None:
    """The limit is found before anything is allocated; the same call runs with a smaller cache."""
    def bench(sequences: int) -> subprocess.CompletedProcess:
        limit = 400 << 20
        return subprocess.run(
            list(map(str, [tools.bin / "sortie-run", "bench", program, "--weights",
                           "random:seed=1", "-p", 0, "-n", 1, "-d", 1, "-r", 1, "--threads", 1,
                           "--sequences", sequences])),
            capture_output=True, text=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    failed = bench(4096)
    assert failed.returncode == 1
    assert re.search(r"the model needs 1\.\d\d GiB of memory \(weights [\d.]+ MiB, caches of "
                     r"524288 positions 1\.\d\d GiB, .*\), and ulimit allows 400\.00 MiB; take "
                     r"fewer sequences", failed.stderr), failed.stderr
    assert bench(1).returncode == 0


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_tokens(rule: Rule, program: Path, tools: Tools, tmp_path: Path) -> None:
    prompts, ids, output = (tmp_path / name for name in ("prompts", "ids.npy", "logits.npy"))
    prompts.write_text("\n".join(PROMPTS))
    printed = tools.call("sortie-run", "generate", program, "--weights", MODEL, "--prompts",
                         prompts, "-n", 20, "-o", "json", "--ignore-eos", *rule.options())
    texts = json.loads(printed)
    assert [text["prompt"] for text in texts] == PROMPTS
    for sequence, text in enumerate(texts):
        tokens = [token["id"] for token in text["tokens"]]
        history = text["prompt_tokens"]
        np.save(ids, np.array([history + tokens], np.int32))
        tools.call("sortie-run", "logits", program, "--weights", MODEL, "--tokens", ids,
                   "--output", output)
        rows = np.load(output)[0, len(history) - 1:-1]
        for row, token in zip(rows, text["tokens"]):
            expected = sampling.log_probability(row, token["id"])
            assert np.float32(token["log_probability"]) == expected
            row[END] = -np.inf
            assert sampling.choose(row, history, rule, sequence) == token["id"]
            history = [*history, token["id"]]
