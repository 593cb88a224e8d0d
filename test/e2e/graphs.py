"""Layers that few models have, and semantic graphs of them that no importer has written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gguf import GGMLQuantizationType as Type

from gguf_model import Model
from presets import PRESETS, Preset, scaled
from routing import Rule, Scoring

#: The function, its input and its output.
FUNCTION, INPUT, OUTPUT = "layer", "hidden", "ffn_out"
_QWEN3 = scaled(PRESETS["qwen3-30b-a3b"], layers=1, divisor=8, experts=16)
_DEEPSEEK = scaled(PRESETS["deepseek-v2-lite"], layers=1, divisor=8, experts=32, dense_layers=0)
#: Scales of the experts' matrices beside biases, with rows of two chunks, and half of all experts
#: used, so that they have few rows and many; the rule of DeepSeek-V2 (of 8 groups 3); Qwen1.5-MoE
#: (of 60 experts 4, and a shared one of 4 times their width with a gate).
FURTHER: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        replace(_QWEN3, name="expert-scales", hidden=1280, expert_scales=True, biases=True),
        replace(_DEEPSEEK, name="best-groups", shared_experts=0,
                metadata=_DEEPSEEK.metadata | {"expert_group_count": 8,
                                               "expert_group_used_count": 3,
                                               "expert_weights_scale": 16.0}),
        replace(_QWEN3, name="shared-gate", arch="qwen2moe", experts=60, used=4, shared_experts=4,
                shared_gate=True),
    )
}
_SCORINGS = {Scoring.SOFTMAX: "softmax", Scoring.SIGMOID: "sigmoid",
             Scoring.SOFTMAX_AFTER_TOPK: "softmax_after_topk"}


@dataclass(frozen=True)
class Value:
    name: str
    type: str


def element_of(stored: Type) -> str:
    """A tensor's type in the file as the element type that the dialect has for it."""
    name = stored.name.lower()
    if stored in (Type.F32, Type.F16, Type.BF16):
        return name
    return f"!moe.block<{name.removesuffix('_k') + '_K' if name.endswith('_k') else name}>"


def tensor_type(shape: tuple[object, ...], element: str = "f32") -> str:
    return f"tensor<{'x'.join(map(str, shape))}x{element}>"


@dataclass
class Graph:
    """Lines of one function over the tensors of the first block of `model`."""

    model: Model
    lines: list[str] = field(default_factory=list)

    def emit(self, text: str, types: str, *results: str) -> Value:
        """An op with one result, or with two: then the second is `name + "w"`."""
        name = f"%v{len(self.lines)}"
        names = ", ".join([name, name + "w"][: len(results)])
        self.lines.append(f"    {names} = {text} : {types}")
        return Value(name, results[0])

    def function(self, text: str, operands: list[Value], *results: str) -> Value:
        """An op whose types are written as those of a function."""
        inputs = ", ".join(operand.type for operand in operands)
        outputs = ", ".join(results)
        return self.emit(text, f"({inputs}) -> ({outputs})", *results)

    def has(self, name: str) -> bool:
        return self.model.has(f"blk.0.{name}")

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> Value:
        """A tensor of the file, as it lies there or of another `shape` of as many elements."""
        full = f"blk.0.{name}"
        type_ = tensor_type(shape or self.model.shape(full), element_of(self.model.type(full)))
        return self.emit(f'moe.weight "{full}"', type_, type_)

    def product(self, x: Value, part: str, ids: Value | None = None, slots: int = 0) -> Value:
        """x times the matrix of `part`, with the scales and biases that the file has beside it. A
        matrix that belongs to no expert becomes that of the only one where `ids` are given."""
        shape = self.model.shape(f"blk.0.{part}.weight")
        if ids is None:
            operands = [x, self.weight(f"{part}.weight")]
            result = tensor_type(("?", shape[-2]))
        else:
            w = self.weight(f"{part}.weight", shape if len(shape) == 3 else (1, *shape))
            operands, result = [x, w, ids], tensor_type(("?", slots, shape[-2]))
        text = f"moe.{'matmul' if ids is None else 'routed_matmul'} "
        text += ", ".join(operand.name for operand in operands)
        for suffix, clause in ((".scale", "expert_scale"), (".bias", "bias")):
            if self.has(part + suffix):
                operands.append(self.weight(part + suffix))
                text += f" {clause}({operands[-1].name})"
        return self.function(text, operands, result)

    def experts(self, x: Value, suffix: str, ids: Value, weights: Value, slots: int,
                hidden: int) -> Value:
        """The weighted sum of the gated networks `ffn_gate<suffix>` and so on."""
        gate = self.product(x, f"ffn_gate{suffix}", ids, slots)
        up = self.product(x, f"ffn_up{suffix}", ids, slots)
        act = self.emit(f"moe.glu {gate.name}, {up.name} kind(swiglu)", gate.type, gate.type)
        down = self.product(act, f"ffn_down{suffix}", ids, slots)
        return self.function(f"moe.combine {down.name} weights({weights.name})", [down, weights],
                             tensor_type(("?", hidden)))

    def route(self, scores: Value, rule: Rule) -> tuple[Value, Value]:
        text = f"moe.route {scores.name} top({rule.used}) scoring({_SCORINGS[rule.scoring]})"
        if rule.groups > 1:
            text += f" groups({rule.groups_used} of {rule.groups})"
            text += " group_score(best)" if rule.best_group else ""
        text += " normalize" * rule.normalize
        text += f" scale({rule.scale})" if rule.scale != 1 else ""
        weights = tensor_type(("?", rule.used))
        ids = self.function(f"{text} tie(lower_id)", [scores],
                            tensor_type(("?", rule.used), "i32"), weights)
        return ids, Value(ids.name + "w", weights)


def write_layer(model: Model, rule: Rule, epsilon: float, contract: str,
                with_ids: bool = False) -> str:
    """The module with a layer of routed experts, and the shared one with its gate if the file has
    it. With `with_ids` it returns the expert ids, too, as `ids`."""
    graph = Graph(model)
    hidden, = model.shape("blk.0.ffn_norm.weight")
    x = Value("%hidden", tensor_type(("?", hidden)))
    norm = graph.weight("ffn_norm.weight")
    normed = graph.emit(f"moe.rms_norm {x.name}, {norm.name} eps({epsilon:e})",
                        f"{x.type}, {norm.type}", x.type)
    ids, weights = graph.route(graph.product(normed, "ffn_gate_inp"), rule)
    total = graph.experts(normed, "_exps", ids, weights, rule.used, hidden)
    if graph.has("ffn_gate_shexp.weight"):
        gate = graph.weight("ffn_gate_inp_shexp.weight", (1, hidden))
        score = graph.function(f"moe.matmul {normed.name}, {gate.name}", [normed, gate],
                               tensor_type(("?", 1)))
        one, factor = graph.route(score, Rule(1, Scoring.SIGMOID))
        shared = graph.experts(normed, "_shexp", one, factor, 1, hidden)
        total = graph.emit(f"moe.add {total.name}, {shared.name}", x.type, x.type)
    y = graph.emit(f"moe.add {total.name}, {x.name}", x.type, x.type)
    outputs = {OUTPUT: y, "ids": ids} if with_ids else {OUTPUT: y}
    results = ", ".join(f'{value.type} {{moe.name = "{name}"}}' for name, value in outputs.items())
    graph.lines.append(f"    return {', '.join(value.name for value in outputs.values())} : "
                       + ", ".join(value.type for value in outputs.values()))
    body = "\n".join(graph.lines)
    return (f"module attributes {{moe.contract = #moe.contract<{contract}>}} {{\n"
            f'  func.func @{FUNCTION}({x.name}: {x.type} {{moe.name = "{INPUT}"}}) '
            f'-> ({results}) {{\n'
            f"{body}\n  }}\n}}\n")
