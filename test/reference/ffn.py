#!/usr/bin/env python3
"""The feed-forward half of a GGUF model's layer, in float64 NumPy: the reference of the tests.

    ffn.py model.gguf --layer 0 --input x.npy --output ref.npz

Weights are those that the `gguf` package dequantizes, one routed expert at a time; everything else
is float64. The result holds, for T tokens and k experts each:

    output        [T, H]  what the layer's function returns: input + contribution
    contribution  [T, H]  of routed and shared experts (or of the dense feed-forward), scaled
    ids, weights  [T, k]  the routing, in slot order (none for a dense layer)
    margin        [T]     how far the routing decision was from another one, in score units
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import ExpertGatingFuncType

from gguf_model import Model
from routing import Routing, Rule, Scoring, route, sigmoid

#: Values of `expert_gating_func`; old converters wrote none, or 0, for softmax.
GATING = {0: Scoring.SOFTMAX, ExpertGatingFuncType.SOFTMAX: Scoring.SOFTMAX,
          ExpertGatingFuncType.SIGMOID: Scoring.SIGMOID}
#: Architectures whose weights are normalised, or not, where no key says it.
NORMALIZED = ("qwen3moe", "llama", "granitemoe", "minimax-m2", "hunyuan-moe", "ernie4_5-moe")
NOT_NORMALIZED = ("olmoe", "qwen2moe", "deepseek", "deepseek2", "glm4moe", "bailingmoe2", "dots1")
#: Architectures with another norm before the router.
POST_ATTENTION_NORM = ("gpt-oss", "glm4moe")
# Constants of the gpt-oss model definition; its files do not carry them.
SWIGLU_ALPHA = 1.702
SWIGLU_LIMIT = 7.0


@dataclass(frozen=True)
class Result:
    """Output of a layer; `routing` is None for a dense layer."""

    output: np.ndarray
    contribution: np.ndarray
    routing: Routing | None


def rms_norm(x: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    return x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + epsilon) * weight


def swiglu(gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    return gate * sigmoid(gate) * up


def swiglu_clamped(gate: np.ndarray, up: np.ndarray) -> np.ndarray:
    """gpt-oss: the gate has an upper limit only, and one is added to the other factor."""
    gate = np.minimum(gate, SWIGLU_LIMIT)
    up = np.clip(up, -SWIGLU_LIMIT, SWIGLU_LIMIT)
    return gate * sigmoid(SWIGLU_ALPHA * gate) * (up + 1)


def routing_rule(model: Model) -> Rule:
    """The rule of the model's architecture, with the parameters of its file."""
    used = model.value("expert_used_count")
    if model.arch == "gpt-oss":
        return Rule(used, Scoring.SOFTMAX_AFTER_TOPK)
    if model.arch not in (*NORMALIZED, *NOT_NORMALIZED):
        raise ValueError(f"no reference for architecture '{model.arch}'")
    gating = model.value("expert_gating_func", 0)
    if gating not in GATING:
        raise ValueError(f"no reference for expert_gating_func {gating}")
    return Rule(
        used, GATING[gating],
        normalize=model.value("expert_weights_norm", model.arch in NORMALIZED),
        scale=model.value("expert_weights_scale", 1.0),
        groups=model.value("expert_group_count", 1),
        groups_used=model.value("expert_group_used_count", 1),
        best_group=GATING[gating] is Scoring.SOFTMAX,  # DeepSeek-V2; V3 has the two best
    )


class Layer:
    """The feed-forward half of layer `index` of `model`."""

    def __init__(self, model: Model, index: int) -> None:
        if not 0 <= index < model.value("block_count"):
            raise ValueError(f"layer {index}: the model has {model.value('block_count')} layers")
        self._model = model
        self._prefix = f"blk.{index}."
        norm = "post_attention_norm" if model.arch in POST_ATTENTION_NORM else "ffn_norm"
        self._norm = model.tensor(f"{self._prefix}{norm}.weight")
        self._activation: Callable[[np.ndarray, np.ndarray], np.ndarray] = (
            swiglu_clamped if model.arch == "gpt-oss" else swiglu
        )
        self._residual_scale = model.value("residual_scale", 1.0)

    def _name(self, name: str) -> str:
        return self._prefix + name

    def _linear(self, x: np.ndarray, name: str, expert: int | None = None) -> np.ndarray:
        """x [T, K] times the transposed weight, times the scale of the expert's matrix and plus the
        bias where there is one."""
        y = x @ self._model.tensor(self._name(name + ".weight"), expert).T
        if expert is not None and self._model.has(self._name(name + ".scale")):
            y = y * self._model.tensor(self._name(name + ".scale"))[expert]
        bias = self._model.optional(self._name(name + ".bias"), expert)
        return y if bias is None else y + bias

    def _gated(self, x: np.ndarray, suffix: str, expert: int | None = None) -> np.ndarray:
        """down(activation(gate(x), up(x))) for the matrices `ffn_gate<suffix>` and so on."""
        gate = self._linear(x, "ffn_gate" + suffix, expert)
        up = self._linear(x, "ffn_up" + suffix, expert)
        return self._linear(self._activation(gate, up), "ffn_down" + suffix, expert)

    def _routed(self, x: np.ndarray, routing: Routing) -> np.ndarray:
        """Weighted sum of the selected experts' outputs."""
        total = np.zeros_like(x)
        for expert in np.unique(routing.ids):
            tokens, slots = np.nonzero(routing.ids == expert)
            rows = self._gated(x[tokens], "_exps", int(expert))
            total[tokens] += routing.weights[tokens, slots][:, None] * rows
        return total

    def _shared(self, x: np.ndarray) -> np.ndarray:
        """The shared expert, with a gate of its own where the model has one (qwen2moe)."""
        rows = self._gated(x, "_shexp")
        gate = self._model.optional(self._name("ffn_gate_inp_shexp.weight"))
        return rows if gate is None else rows * sigmoid(x @ gate.reshape(-1))[:, None]

    @property
    def is_dense(self) -> bool:
        """Whether the layer has no router."""
        return not self._model.has(self._name("ffn_gate_inp.weight"))

    def normalize(self, hidden: np.ndarray) -> np.ndarray:
        """What router and experts see of `hidden` [T, H]."""
        hidden = hidden.astype(np.float64)
        if hidden.ndim != 2 or hidden.shape[1] != len(self._norm):
            raise ValueError(f"input {list(hidden.shape)}: the layer takes [T, {len(self._norm)}]")
        epsilon = self._model.value("attention.layer_norm_rms_epsilon")
        return rms_norm(hidden, self._norm, epsilon)

    def route(self, x: np.ndarray, follow: np.ndarray | None = None,
              follow_below: float = 1e-5) -> Routing:
        """Routes the normalised tokens x [T, H]; for `follow` see `routing.route`."""
        rule = routing_rule(self._model)
        if follow is not None and follow.shape != (len(x), rule.used):
            raise ValueError(f"ids {list(follow.shape)}: need [{len(x)}, {rule.used}]")
        logits = self._linear(x, "ffn_gate_inp")
        bias = self._model.optional(self._name("exp_probs_b.bias"))
        return route(logits, rule, bias, follow, follow_below)

    def run(self, hidden: np.ndarray, follow: np.ndarray | None = None,
            follow_below: float = 1e-5) -> Result:
        """The layer's output for `hidden` [T, H]; for `follow` see `routing.route`."""
        x = self.normalize(hidden)
        if self.is_dense:
            contribution = self._gated(x, "") * self._residual_scale
            return Result(hidden + contribution, contribution, None)
        routing = self.route(x, follow, follow_below)
        contribution = self._routed(x, routing)
        if self._model.has(self._name("ffn_gate_shexp.weight")):
            contribution += self._shared(x)
        contribution *= self._residual_scale
        return Result(hidden + contribution, contribution, routing)


def save(path: Path, result: Result) -> None:
    """Writes the arrays named at the top of this file."""
    arrays = {"output": result.output, "contribution": result.contribution}
    if result.routing is not None:
        arrays |= {"ids": result.routing.ids.astype(np.int32), "weights": result.routing.weights,
                   "margin": result.routing.margin}
    np.savez(path, **arrays)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a GGUF file, or any part of a split one")
    parser.add_argument("--layer", type=int, default=0)
    parser.add_argument("--input", type=Path, required=True, metavar="X.npy", help="[T, hidden]")
    parser.add_argument("--output", type=Path, required=True, metavar="REF.npz")
    parser.add_argument("--follow", type=Path, metavar="IDS.npy",
                        help="expert ids [T, k] to take where the margin is too small to decide")
    parser.add_argument("--follow-below", type=float, default=1e-5, metavar="MARGIN")
    options = parser.parse_args(arguments)
    try:
        follow = np.load(options.follow) if options.follow else None
        layer = Layer(Model(options.model), options.layer)
        save(options.output, layer.run(np.load(options.input), follow, options.follow_below))
    except (ValueError, OSError) as error:
        print(f"ffn.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
