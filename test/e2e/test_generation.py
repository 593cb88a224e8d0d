"""`sortie-run generate` on the trained model: each token and its probability against the logits
that `sortie-run logits` has, by an implementation of sampling written from the contract."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sampling
from sampling import Rule
from tools import Tools

MODEL = (Path(__file__).resolve().parents[1] / "models" / "tiny-qwen3moe"
         / "tiny-qwen3moe-q4_0.gguf")
END = 1  # the only end token, which --ignore-eos bans
PROMPTS = ["In the beginning God", "And he said unto them,", "A"]
RULES = [Rule(), Rule(penalty=1.3), Rule(temperature=1, seed=5), Rule(temperature=1.5, top_k=7),
         Rule(temperature=0.7, top_p=0.9), Rule(temperature=1, min_p=0.03, seed=2**63),
         Rule(temperature=2, top_k=100, top_p=0.8, min_p=0.01, penalty=1.1, seed=1)]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Path:
    folder = tmp_path_factory.mktemp("generation")
    mlir, program = folder / "model.mlir", folder / "model.mlirbc"
    tools.call("sortie-translate", "--import-gguf", MODEL, "-o", mlir)
    tools.call("sortie-opt", mlir, "--sortie-compile=target=cpu", "--emit-bytecode", "-o", program)
    return program


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
