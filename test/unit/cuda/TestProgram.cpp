// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The small program.

#include "test/unit/cuda/TestProgram.h"

#include "runtime/weights/WeightReader.h"

#include <cstring>

using namespace llvm;
using sortie::cuda::CUresult;

namespace sortie::test {

namespace {

constexpr int64_t kPanelRows = 3;
constexpr uint64_t kRowBytes = kColumns * sizeof(float);
/// A panel begins with its number, which shows that the pack kernel was told the right one.
constexpr uint64_t kPanelBytes = 16 + kPanelRows * kRowBytes;
constexpr int64_t kPanelsOfExpert = (kColumns + kPanelRows - 1) / kPanelRows;

constexpr uint32_t kPack = 0, kDispatch = 1, kScale = 2, kProduct = 3;
constexpr BufferId kX = 0, kIds = 1, kY = 2, kStatus = 3, kOffsets = 4, kAct = 5, kResult = 6;
constexpr WeightId kNorm = 0, kMatrix = 1;

CUresult pack(const FakeLaunch &launch) {
  const auto *raw = launch.pointer<const std::byte>(0);
  auto *packed = launch.pointer<std::byte>(1);
  const int64_t firstPanel = launch.extents[0];
  for (int64_t i = 0; i < launch.extents[1]; ++i) {
    const int64_t panel = firstPanel + i;
    const int64_t rows = std::min(kPanelRows, kColumns - panel % kPanelsOfExpert * kPanelRows);
    std::memcpy(packed, &panel, sizeof(panel));
    std::memcpy(packed + 16, raw, rows * kRowBytes);
    raw += rows * kRowBytes;
    packed += kPanelBytes;
  }
  // It is no step of a run.
  return launch.grid[0] == static_cast<unsigned>(launch.extents[1]) && launch.progress == 0
             ? cuda::CUDA_SUCCESS
             : FakeDriver::kIllegalAddress;
}

CUresult dispatch(const FakeLaunch &launch) {
  const auto *ids = launch.pointer<const int32_t>(0);
  auto *status = launch.pointer<int32_t>(1);
  auto *offsets = launch.pointer<int32_t>(2);
  const int32_t slots = launch.extents[0];
  status[0] = -1;
  for (int32_t slot = slots; slot-- > 0;)
    if (ids[slot] < 0 || ids[slot] >= kExperts) {
      status[0] = slot;
      status[1] = ids[slot];
    }
  offsets[0] = 0;
  offsets[1] = offsets[2] = slots / 2;
  return cuda::CUDA_SUCCESS;
}

CUresult scale(const FakeLaunch &launch) {
  const auto *x = launch.pointer<const float>(0);
  auto *act = launch.pointer<float>(1);
  const auto *norm = launch.pointer<const float>(2);
  for (int64_t i = 0; i < launch.extents[0] * kColumns; ++i)
    act[i] = x[i] * norm[i % kColumns];
  return cuda::CUDA_SUCCESS;
}

CUresult product(const FakeLaunch &launch) {
  const auto *act = launch.pointer<const float>(0);
  auto *result = launch.pointer<float>(2);
  const auto *packed = launch.pointer<const std::byte>(3);
  for (int64_t row = 0; row < kColumns; ++row) {
    const std::byte *panel = packed + row / kPanelRows * kPanelBytes;
    int64_t number;
    std::memcpy(&number, panel, sizeof(number));
    if (number != row / kPanelRows)
      return FakeDriver::kIllegalAddress;
    const auto *weights =
        reinterpret_cast<const float *>(panel + 16 + row % kPanelRows * kRowBytes);
    for (int64_t t = 0; t < launch.extents[0]; ++t) {
      float sum = 0;
      for (int64_t k = 0; k < kColumns; ++k)
        sum += act[t * kColumns + k] * weights[k];
      result[t * kColumns + row] = sum;
    }
  }
  return cuda::CUDA_SUCCESS;
}

Kernel kernel(const std::string &name, uint32_t reads, uint32_t writes,
              std::initializer_list<WeightForm> weights, uint32_t extents, uint32_t shared) {
  const std::string image = name + " for sm_80";
  return {name,
          name,
          reads,
          writes,
          extents,
          256,
          SmallVector<WeightForm>(weights),
          {{"sm_80", 0, "hash of " + image, std::vector<uint8_t>(image.begin(), image.end() + 1)},
           {"sm_90a", shared, "hash of sm_90a", {'s', 'm', '_', '9', '0', 'a', 0}}}};
}

Buffer buffer(Buffer::Place place, uint32_t argument, Affine offset, ElementType type,
              std::initializer_list<Affine> shape, Affine bytes) {
  return {place, argument, offset, type, SmallVector<Affine, 4>(shape), bytes};
}

Function makeFunction() {
  const Affine tokens{1, 0}, columns{0, kColumns}, two{0, 2};
  const Affine rowBytes{kRowBytes, 0};
  Function layer;
  layer.name = "layer";
  layer.symbols = {0};
  layer.inputs = {{"x", kX}, {"ids", kIds}};
  layer.outputs = {{"y", kY}};
  using Place = Buffer::Place;
  layer.buffers = {
      buffer(Place::Input, 0, {}, ElementType::F32, {tokens, columns}, rowBytes),
      buffer(Place::Input, 1, {}, ElementType::I32, {tokens, two}, {8, 0}),
      buffer(Place::Output, 0, {}, ElementType::F32, {tokens, columns}, rowBytes),
      buffer(Place::Arena, 0, {0, 0}, ElementType::I32, {two}, {0, 8}),
      buffer(Place::Arena, 0, {0, 64}, ElementType::I32, {{0, kExperts + 1}}, {0, 12}),
      buffer(Place::Arena, 0, {0, 128}, ElementType::F32, {tokens, columns}, rowBytes),
      buffer(Place::Arena, 0, {64, 128}, ElementType::F32, {tokens, columns}, rowBytes)};
  layer.arena = {{128, 128}};
  const GridDim grid{tokens, 4, /*roundsDown=*/false, std::nullopt};
  layer.steps = {
      {"moert.dispatch", KernelLaunch{kDispatch, {grid}, {{2, 0}}, 0}, {kIds}, {kStatus, kOffsets}},
      {"moert.check_ids", CheckIds{kExperts, 2}, {kStatus}},
      {"moert.rms_norm", KernelLaunch{kScale, {grid}, {tokens}, 0}, {kX}, {kAct}, {kNorm}},
      {"moert.checkpoint", Checkpoint{"act"}, {kAct}},
      {"moert.checkpoint", Checkpoint{"fused"}},
      {"moert.matmul",
       KernelLaunch{kProduct, {grid}, {tokens}, 128},
       {kAct, kOffsets},
       {kResult},
       {kMatrix}},
      {"moert.copy", Copy{}, {kResult}, {kY}}};
  for (Step &step : layer.steps)
    if (auto *launch = std::get_if<KernelLaunch>(&step.action))
      launch->overlaps = true;
  layer.steps[2].label = "norm.weight";
  layer.steps[5].label = "matrix.weight";
  layer.steps[5].offsets = kOffsets;
  layer.weights.resize(2, true);
  return layer;
}

} // namespace

std::shared_ptr<Program> makeProgram() {
  auto program = std::make_shared<Program>();
  program->name = "test";
  program->target = kCudaTarget.str();
  program->partitions = {{kCudaTarget.str()}};
  program->symbols = {{"tokens", kMaxTokens}};
  program->kernels = {kernel("pack", 1, 1, {}, 2, 0), kernel("dispatch", 1, 2, {}, 1, 0),
                      kernel("scale", 1, 1, {WeightForm::Floats}, 1, 48 << 10),
                      kernel("product", 2, 1, {WeightForm::Packed}, 1, 100000)};
  WeightSpec norm, matrix;
  norm.tensors = {"norm.weight"};
  norm.encoding = numerics::Encoding::BF16;
  norm.shape = {kColumns};
  norm.usesFloats = true;
  matrix.tensors = {"matrix.weight"};
  matrix.encoding = numerics::Encoding::F32;
  matrix.shape = {kExperts, kColumns, kColumns};
  matrix.pack = {kPack, kPanelRows, kPanelBytes};
  matrix.usesPacked = true;
  program->weights = {norm, matrix};
  program->functions = {makeFunction()};
  return program;
}

void addKernels(FakeDriver &driver) {
  driver.kernels["pack"] = {2, 2, pack};
  driver.kernels["dispatch"] = {3, 1, dispatch};
  driver.kernels["scale"] = {3, 1, scale};
  driver.kernels["product"] = {4, 1, product};
}

/// A weight of makeRandomSource(1) as floats.
static std::vector<float> weightValues(const WeightSpec &spec) {
  std::vector<uint8_t> bytes(spec.bytes());
  cantFail(makeRandomSource(1)->rows(spec, 0, spec.rows(), bytes.data()));
  std::vector<float> values(spec.rows() * spec.columns());
  widenValues(spec.info().format, bytes.data(), static_cast<int64_t>(values.size()), values.data());
  return values;
}

std::vector<float> expectedAct(const Program &program, const std::vector<float> &x) {
  const std::vector<float> norm = weightValues(program.weights[kNorm]);
  std::vector<float> act;
  for (size_t i = 0; i < x.size(); ++i)
    act.push_back(x[i] * norm[i % kColumns]);
  return act;
}

std::vector<float> expectedOutput(const Program &program, const std::vector<float> &x) {
  const std::vector<float> act = expectedAct(program, x);
  const std::vector<float> matrix = weightValues(program.weights[kMatrix]);
  std::vector<float> output;
  for (size_t row = 0; row < x.size() / kColumns; ++row)
    for (int64_t n = 0; n < kColumns; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < kColumns; ++k)
        sum += act[row * kColumns + k] * matrix[n * kColumns + k];
      output.push_back(sum);
    }
  return output;
}

} // namespace sortie::test
