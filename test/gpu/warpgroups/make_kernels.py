# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the kernels that sortie-opt makes for the routed experts of three layers, with and
without warpgroups, to cubins, and writes what harness.cu needs to launch them.

    make_kernels.py SORTIE_OPT OUTPUT_FOLDER     (libnvrtc.so.13 where the loader finds it)
"""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LAYERS = {
    "qwen3-30b-a3b": (128, 8, 2048, 768),
    "mixtral-8x7b": (8, 2, 4096, 14336),
    "deepseek-v3": (256, 8, 7168, 2048),
}
PROGRAM = """
module attributes {{moert.program = #moert.program<abi = 5, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">}} {{
  moert.symbol @tokens max(8192)
  moert.weight @gate "gate" : {e}x{w}x{h}xq4_K
  moert.weight @up "up" : {e}x{w}x{h}xq4_K
  moert.weight @down "down" : {e}x{h}x{w}xq4_K
  moert.func @f("x" %x: !moert.buffer<tokens x {h} x f32>,
                "ids" %ids: !moert.buffer<tokens x {k} x i32>,
                "s" %s: !moert.buffer<tokens x {k} x f32>)
      outs("y" %y: !moert.buffer<{k}*tokens x {h} x f32>) {{
    %q = moert.buffer : !moert.buffer<tokens x {h} x act16>
    moert.quantize %x outs(%q) : !moert.buffer<tokens x {h} x f32>,
      !moert.buffer<tokens x {h} x act16>
    %p = moert.buffer : !moert.buffer<{k}*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x {k} x i32>
    %o = moert.buffer : !moert.buffer<{o} x i32>
    moert.dispatch %ids experts({e}) outs(%p, %i, %o) : !moert.buffer<tokens x {k} x i32>,
      !moert.buffer<{k}*tokens x i32>, !moert.buffer<tokens x {k} x i32>, !moert.buffer<{o} x i32>
    %a = moert.buffer : !moert.buffer<{k}*tokens x {w} x act16>
    moert.glu_matmul %q, @gate, @up offsets(%o) permutation(%p) slots({k}) kind(swiglu)
      arithmetic(exact) outs(%a)
      : !moert.buffer<tokens x {h} x act16>, !moert.buffer<{o} x i32>,
        !moert.buffer<{k}*tokens x i32>, !moert.buffer<{k}*tokens x {w} x act16>
    moert.matmul %a, @down offsets(%o) permutation(%p) scale(%s) arithmetic(exact) outs(%y)
      : !moert.buffer<{k}*tokens x {w} x act16>, !moert.buffer<{o} x i32>,
        !moert.buffer<{k}*tokens x i32>, !moert.buffer<tokens x {k} x f32>,
        !moert.buffer<{k}*tokens x {h} x f32>
    moert.return
  }}
}}
"""
FLAGS = [
    "--gpu-architecture=sm_90a",
    "--std=c++20",
    "--fmad=false",
    "--device-as-default-execution-space",
    "--ptxas-options=-v",
    f"-I{ROOT}",
    f"-I{ROOT}/codegen/hardware",
]


def compile_source(text: str) -> tuple[bytes, str]:
    """The cubin of a source, and NVRTC's log."""
    nvrtc = ctypes.CDLL("libnvrtc.so.13")
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel", 0, None, None)
    flags = (ctypes.c_char_p * len(FLAGS))(*[flag.encode() for flag in FLAGS])
    code = nvrtc.nvrtcCompileProgram(program, len(FLAGS), flags)

    def read(size_of: str, get: str) -> bytes:
        size = ctypes.c_size_t()
        getattr(nvrtc, size_of)(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, get)(program, buffer)
        return buffer.raw

    log = read("nvrtcGetProgramLogSize", "nvrtcGetProgramLog").decode()
    if code != 0:
        sys.exit(log)
    return read("nvrtcGetCUBINSize", "nvrtcGetCUBIN"), log


def unescape(text: str) -> str:
    """The characters of a string attribute of MLIR."""
    return re.sub(r"\\([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text).replace('\\"', '"')


def kernels_of(program: str) -> dict[str, tuple[str, int, int, str]]:
    """Entry, threads, shared memory and source for sm_90a of each kernel."""
    found = {}
    kernel = re.compile(r'moert\.kernel @(\w+) "(\w+)".*?threads\((\d+)\)(.*)')
    source = re.compile(
        r'#moert\.source<arch = "sm_90a", shared = (\d+),.*?text = "((?:[^"\\]|\\.)*)">'
    )
    for name, entry, threads, rest in kernel.findall(program):
        shared, text = source.search(rest).groups()
        found[name] = (entry, int(threads), int(shared), unescape(text))
    return found


def grid_of(program: str, kernel: str) -> str:
    """The grid of the launch of a kernel: x, then of y rows per token, rows more, divisor, and the
    most as a number or a number for each token."""
    x, y = re.search(rf"moert\.launch @{kernel} grid\((\d+), ([^)]*)\)", program).groups()
    per, more, divisor, most = re.fullmatch(
        r"(?:(\d+)\*)?tokens(?:\+(\d+))?(?: ceildiv (\d+))?(?: max (.*))?", y
    ).groups()
    most_per = re.fullmatch(r"(?:(\d+)\*)?tokens", most)
    limit = f"{most_per[1] or 1} 0" if most_per else f"0 {most}"
    return f"{x} {per or 1} {more or 0} {divisor or 1} {limit}"


def main() -> None:
    sortie_opt, out = sys.argv[1], Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    manifest = []
    for layer, (experts, used, hidden, width) in LAYERS.items():
        program = PROGRAM.format(e=experts, k=used, h=hidden, w=width, o=experts + 1)
        for variant in ("mma", "warpgroups"):
            options = "chips=sm_90a" + (" warpgroups" if variant == "warpgroups" else "")
            selected = subprocess.run(
                [sortie_opt, "-", f"--moert-select-kernels={options}"],
                input=program,
                text=True,
                capture_output=True,
                check=True,
            ).stdout
            for name, (entry, threads, shared, text) in kernels_of(selected).items():
                is_product = "matmul" in name
                if not is_product and (variant != "mma" or "dispatch" in name):
                    continue
                cubin, log = compile_source(text)
                if re.search(r"[1-9]\d* bytes spill|warning", log):
                    print(layer, variant, name, log)
                file = f"{layer}-{variant}-{name}.cubin"
                (out / file).write_bytes(cubin)
                grid = grid_of(selected, name) if is_product else "0 0 0 1 0 0"
                kind = re.sub(r"_\d+$", "", name)
                rows = re.search(r"packPanels<[^,]*, (\d+)", text)
                manifest.append(
                    f"{layer} {variant} {kind} {file} {entry} {threads} {shared} {grid} "
                    f"{rows[1] if rows else 0}"
                )
    (out / "manifest").write_text("\n".join(manifest) + "\n")


if __name__ == "__main__":
    main()
