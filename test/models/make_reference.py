#!/usr/bin/env python3
"""Writes the references by which whole models are judged; references/README.md says what they are.

    make_reference.py [NAME...]

Needs torch and transformers, which the project's tests do not. Everything is float64: the
constants torch.float32 and torch.float mean float64 while a model is made and while it runs, so
that the norms, softmaxes and rotations that transformers computes in float32 on purpose are not.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import numpy as np
import torch
import transformers

from reference_files import to_gguf, write_gguf
from reference_models import END, MODELS, VOCABULARY, ReferenceModel

FOLDER = Path(__file__).parent / "references"
#: Two sequences of this many tokens have their logits stored.
TOKENS = 32
#: A prompt that ends in the first page of a cache with pages of 128, and tokens up to the second.
PROMPT, GENERATED = 100, 40
#: Of so many random inputs, the one whose decisions are clearest is taken.
CANDIDATES = 16
#: Margins of logits and of routing probabilities that are equally clear.
TOKEN_MARGIN, ROUTING_MARGIN = 0.01, 0.001


@contextlib.contextmanager
def float64_only() -> Iterator[None]:
    """Makes transformers compute in float64 what it casts to float32."""
    names, single = ("float32", "float"), torch.float32
    method = torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    for name in names:
        setattr(torch, name, torch.float64)
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        for name in names:
            setattr(torch, name, single)
        torch.Tensor.float = method
        torch.set_default_dtype(single)


# --- weights --------------------------------------------------------------------------------------


def random_weight(model: ReferenceModel, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights with which every part of a model has a say in its logits."""
    rng = np.random.default_rng([zlib.crc32(model.name.encode()), zlib.crc32(name.encode())])
    values = rng.standard_normal(shape)
    gain = next((gain for part, gain in model.gains.items() if part in name), 1.0)
    if "norm" in name:
        return gain * (1 + 0.3 * values)
    if name.endswith("sinks"):
        return values
    if name.endswith("e_score_correction_bias"):
        return 0.1 * values
    if name.endswith("bias"):
        return 0.4 * values
    if name == "model.embed_tokens.weight":
        return gain * values
    if name == "lm_head.weight" or ".q_" in name or ".k_proj" in name:
        gain *= 1.5  # clear winners among tokens, and attention that looks at few
    is_transposed = model.arch == "gpt-oss" and ".experts." in name
    return gain * shape[-2 if is_transposed else -1] ** -0.5 * values


def _dequantized(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
            for tensor in gguf.GGUFReader(path).tensors}


def weights(net: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """All that a checkpoint has: parameters, and the buffers that count as such."""
    yield from net.named_parameters()
    yield from (buffer for buffer in net.named_buffers() if "e_score_correction" in buffer[0])


def load_weights(net: Any, model: ReferenceModel, path: Path) -> None:
    """Gives the parameters the values that the file has."""
    stored = _dequantized(path)
    used: Counter[str] = Counter()  # elements that belong to earlier parameters
    with torch.no_grad():
        for name, parameter in weights(net):
            values = np.full(parameter.numel(), np.nan)
            indices = np.arange(parameter.numel()).reshape(tuple(parameter.shape))
            for part, origin in to_gguf(model, name, indices).items():
                first = used[part]
                used[part] += origin.size
                values[origin.reshape(-1)] = stored[part].reshape(-1)[first : used[part]]
            parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))
            if not torch.isfinite(parameter).all():
                raise ValueError(f"{path}: does not say all of '{name}'")
    if "rope_freqs.weight" in stored:
        _use_rotation_factors(net, stored["rope_freqs.weight"])


def _use_rotation_factors(net: Any, factors: np.ndarray) -> None:
    """Takes the file's float32 factors, after they are proved to be what transformers computes."""
    rotation = net.model.rotary_emb
    plain, _ = rotation.compute_default_rope_parameters(net.config)
    scaled = plain / torch.from_numpy(factors)
    torch.testing.assert_close(scaled, rotation.inv_freq, rtol=1e-6, atol=0)
    rotation.inv_freq.copy_(scaled)


class WithOutput(torch.nn.Module):
    """A model that ends with its last norm, and an output matrix."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.lm_head = torch.nn.Linear(model.config.hidden_size, model.config.vocab_size,
                                       bias=False)

    def forward(self, tokens: torch.Tensor, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(
            logits=self.lm_head(self.model(tokens, **options).last_hidden_state))


def make_net(model: ReferenceModel) -> Any:
    """The transformers model, from tokens to logits."""
    config = getattr(transformers, model.config_class)(**model.full_config)
    options = {"attn_implementation": "eager", "experts_implementation": "eager"}
    if model.text_class:
        net = WithOutput(getattr(transformers, model.text_class)._from_config(config, **options))
    else:
        net = transformers.AutoModelForCausalLM.from_config(config, **options)
    return net.double().eval()


def make_model(model: ReferenceModel, path: Path) -> Any:
    """Writes the file, and returns the transformers model of what it holds."""
    net = make_net(model)
    tensors: dict[str, list[np.ndarray]] = defaultdict(list)
    for name, parameter in weights(net):
        weight = random_weight(model, name, tuple(parameter.shape))
        for part, array in to_gguf(model, name, weight).items():
            tensors[part].append(array)
    write_gguf(str(path), model, {name: np.concatenate(rows) for name, rows in tensors.items()})
    load_weights(net, model, path)
    for module in net.modules():
        if hasattr(module, "variance_epsilon"):  # which a file holds in float32
            module.variance_epsilon = float(np.float32(module.variance_epsilon))
    return net


# --- running --------------------------------------------------------------------------------------


@dataclass
class Run:
    """Of B sequences of T tokens: logits [B, T, V], and of each layer with experts the chosen ones
    [B, T, k] and the margin [B, T] by which they were."""

    logits: np.ndarray
    ids: list[np.ndarray]
    margins: list[np.ndarray]

    @property
    def routing_margin(self) -> float:
        """The smallest one."""
        return min((float(margin.min()) for margin in self.margins), default=np.inf)


def least_chosen_over_rest(scores: np.ndarray, count: int) -> np.ndarray:
    """How far the last of the `count` best scores, along the last axis, is from the next one."""
    ordered = -np.sort(-scores, axis=-1)
    return ordered[..., count - 1] - ordered[..., count]


def routing_margin(model: ReferenceModel, logits: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The margin of each token, of router outputs [T, E]: of its experts and, if these are in
    groups, of the groups. The score of a group is its best one or, with sigmoids, the sum of two.
    """
    config = model.full_config
    tokens, used = len(logits), config["num_experts_per_tok"]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    scores = {"logits": logits, "softmax": probabilities,
              "sigmoid": 1 / (1 + np.exp(-logits))}[model.routes_by] + bias
    if "n_group" not in config:
        return least_chosen_over_rest(scores, used)
    grouped = scores.reshape(tokens, config["n_group"], -1)
    count = 2 if model.routes_by == "sigmoid" else 1
    of_groups = np.sort(grouped, axis=-1)[..., -count:].sum(axis=-1)
    margin = least_chosen_over_rest(of_groups, config["topk_group"])
    best = np.sort(of_groups, axis=-1)[:, -config["topk_group"], None]
    kept = np.where((of_groups >= best)[..., None], grouped, -np.inf).reshape(tokens, -1)
    return np.minimum(margin, least_chosen_over_rest(kept, used))


def selection_bias(router: Any, inputs: tuple[torch.Tensor, ...]) -> np.ndarray:
    """What is added to the scores of a router for the choice, if anything: its own (DeepSeek), that
    of its statistics (ERNIE), or an argument (MiniMax)."""
    own = getattr(getattr(router, "moe_statics", router), "e_score_correction_bias", torch.zeros(1))
    return (inputs[1] if len(inputs) > 1 else own).detach().numpy().reshape(-1)


class Runner:
    """Runs a model and looks at its routers."""

    def __init__(self, net: Any, model: ReferenceModel) -> None:
        self._net = net
        self._model = model
        self._ids: list[np.ndarray] = []
        self._margins: list[np.ndarray] = []
        for module in net.modules():
            if type(module).__name__.lower().endswith(("router", "gate")):
                module.register_forward_hook(self._look)

    def _look(self, router: Any, inputs: tuple[torch.Tensor, ...],
              output: tuple[torch.Tensor, ...]) -> None:
        logits, _weights, ids = output
        if logits.dtype != torch.float64:
            raise RuntimeError("a router did not run in float64")
        self._ids.append(ids.numpy())
        self._margins.append(routing_margin(self._model, logits.numpy(),
                                            selection_bias(router, inputs)))

    def __call__(self, tokens: np.ndarray) -> Run:
        """Runs sequences [B, T], each from position 0."""
        self._ids.clear()
        self._margins.clear()
        with torch.no_grad():
            logits = self._net(torch.from_numpy(tokens).long(), use_cache=False).logits
        if logits.dtype != torch.float64:
            raise RuntimeError("the model did not run in float64")
        return Run(logits.numpy(), [ids.reshape(*tokens.shape, -1) for ids in self._ids],
                   [margin.reshape(tokens.shape) for margin in self._margins])


def sequences(runner: Runner, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Two sequences and all that the model says of them."""
    inputs = [rng.integers(VOCABULARY, size=(2, TOKENS)) for _ in range(CANDIDATES)]
    tokens = max(inputs, key=lambda tokens: runner(tokens).routing_margin)
    run = runner(tokens)
    arrays = {"tokens": tokens.astype(np.int32), "logits": run.logits}
    if run.ids:
        arrays |= {"ids": np.stack(run.ids).astype(np.int32), "margins": np.stack(run.margins)}
    return arrays


def generate(runner: Runner, prompt: np.ndarray) -> dict[str, np.ndarray]:
    """Greedy generation, always of the whole sequence: no cache can be wrong."""
    tokens, margins = prompt, []
    for _ in range(GENERATED):
        run = runner(tokens[None])
        second, best = np.sort(run.logits[0, -1])[-2:]
        margins.append(best - second)
        tokens = np.append(tokens, run.logits[0, -1].argmax())
    arrays = {"prompt": prompt.astype(np.int32),
              "generated": tokens[len(prompt):].astype(np.int32),
              "generated_margins": np.array(margins)}
    if run.margins:
        arrays["generated_routing_margins"] = np.min(run.margins, axis=0)[0]
    return arrays


def clearest_generation(runner: Runner, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The generation whose least margins, of tokens and of routing, are largest; of those that do
    not come to an end or repeat themselves, if there is one."""
    def clarity(arrays: dict[str, np.ndarray]) -> tuple[bool, int, float]:
        goes_on = END not in arrays["generated"]
        different = min(len(set(arrays["generated"])), GENERATED // 2)
        margin = arrays["generated_margins"].min()
        routing = arrays.get("generated_routing_margins", np.array(np.inf)).min()
        return goes_on, different, min(margin / TOKEN_MARGIN, routing / ROUTING_MARGIN)

    prompts = [rng.integers(VOCABULARY, size=PROMPT) for _ in range(CANDIDATES)]
    return max((generate(runner, prompt) for prompt in prompts), key=clarity)


def make_reference(model: ReferenceModel) -> None:
    """Writes both files of `model`."""
    folder = FOLDER / model.name
    folder.mkdir(parents=True, exist_ok=True)
    with float64_only():
        runner = Runner(make_model(model, folder / "model.gguf"), model)
        rng = np.random.default_rng(zlib.crc32(model.name.encode()))
        arrays = sequences(runner, rng) | clearest_generation(runner, rng)
    np.savez_compressed(folder / "reference.npz", **arrays)
    print(summary(model, folder, arrays))


def summary(model: ReferenceModel, folder: Path, arrays: dict[str, np.ndarray]) -> str:
    """What tells whether the random numbers make a good test."""
    none = np.array(np.inf)
    sizes = [(folder / name).stat().st_size for name in ("model.gguf", "reference.npz")]
    return (f"{model.name}: {sizes[0]} and {sizes[1]} bytes, logits deviate by "
            f"{arrays['logits'].std():.2f}, {len(set(arrays['generated']))} different tokens; "
            f"margins of routing {arrays.get('margins', none).min():.1e} and, generating, "
            f"{arrays.get('generated_routing_margins', none).min():.1e}, of tokens "
            f"{arrays['generated_margins'].min():.1e}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)}; or all")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in MODELS]
    if unknown:
        parser.error(f"no model is called {', '.join(unknown)}; there are {', '.join(MODELS)}")
    torch.set_num_threads(1)  # which orders the sums, and is fastest for what is so small
    for name in options.names or MODELS:
        make_reference(MODELS[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
