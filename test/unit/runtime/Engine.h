// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Objects of the C API for tests: a program in text form and what it takes to run it.

#ifndef SORTIE_TEST_UNIT_RUNTIME_ENGINE_H
#define SORTIE_TEST_UNIT_RUNTIME_ENGINE_H

#include "runtime/include/sortie/sortie.h"
#include "test/unit/program/ProgramText.h"

#include "gtest/gtest.h"

#include <string>
#include <vector>

namespace sortie::test {

/// The message of an error, which is destroyed; "" for none.
inline std::string take(sortie_error *error, sortie_error_code *code = nullptr) {
  if (!error)
    return "";
  const std::string message = sortie_error_message(error);
  if (code)
    *code = sortie_error_get_code(error);
  sortie_error_destroy(error);
  return message;
}

inline bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// A program with everything it takes to run it.
struct Engine {
  sortie_program *program = nullptr;
  sortie_weights *weights = nullptr;
  sortie_session *session = nullptr;

  explicit Engine(const std::string &contents, const std::string &attributes = "")
      : Engine(WholeText{programText(contents, attributes)}) {}
  /// Of all of a program's text.
  struct WholeText {
    std::string text;
  };
  explicit Engine(const WholeText &whole) {
    const std::string &text = whole.text;
    EXPECT_EQ(take(sortie_program_parse(text.data(), text.size(), "test.mlir", &program)), "");
  }
  ~Engine() {
    // In the order that would hurt if handles did not own what they need.
    sortie_program_destroy(program);
    sortie_weights_destroy(weights);
    sortie_session_destroy(session);
  }

  std::string loadRandom(uint64_t seed = 1) {
    sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
    options.source = SORTIE_WEIGHTS_RANDOM;
    options.seed = seed;
    return load(options);
  }
  std::string load(const sortie_weights_options &options) { return load(&options); }
  /// The same for a struct that may be smaller, an older version's.
  std::string load(const sortie_weights_options *options) {
    return take(sortie_weights_create(program, options, &weights));
  }
  std::string open(const sortie_session_options *options = nullptr) {
    return take(sortie_session_create(program, weights, options, &session));
  }
};

struct Array {
  std::string name;
  sortie_dtype dtype;
  std::vector<int64_t> shape;
  void *data;
  // Written out so that arrays without strides are complete aggregates.
  std::vector<int64_t> strides = {}; // NOLINT(readability-redundant-member-init)

  sortie_tensor tensor() const {
    sortie_tensor tensor = SORTIE_INIT(sortie_tensor);
    tensor.name = name.c_str();
    tensor.dtype = dtype;
    tensor.data = data;
    tensor.rank = shape.size();
    tensor.shape = shape.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
    return tensor;
  }
};

/// Options of a run, with all that they point to.
struct RunOptions {
  std::vector<Array> inputs, outputs;
  std::vector<sortie_tensor> in, out;
  sortie_run_options options = SORTIE_INIT(sortie_run_options);

  RunOptions(const std::vector<Array> &givenInputs, const std::vector<Array> &givenOutputs)
      : inputs(givenInputs), outputs(givenOutputs) {
    for (const Array &array : inputs)
      in.push_back(array.tensor());
    for (const Array &array : outputs)
      out.push_back(array.tensor());
    options.inputs = in.data();
    options.input_count = in.size();
    options.outputs = out.data();
    options.output_count = out.size();
  }
};

inline std::string run(sortie_session *session, const std::vector<Array> &inputs,
                       const std::vector<Array> &outputs, const sortie_observer *observer = nullptr,
                       const sortie_callbacks *callbacks = nullptr, size_t function = 0,
                       sortie_error_code *code = nullptr) {
  RunOptions run(inputs, outputs);
  run.options.function = function;
  run.options.observer = observer;
  run.options.callbacks = callbacks;
  return take(sortie_session_run(session, &run.options), code);
}

/// Arguments of kDispatchProgram for two tokens, with y = the expected sum.
struct Mix {
  Engine engine;
  std::vector<float> x = std::vector<float>(16), y = std::vector<float>(16, -1.0f);
  std::vector<int32_t> ids = {3, 0, 3, 2};
  std::vector<float> weights = {1.0f, 0.5f, 2.0f, 0.25f};

  explicit Mix(const std::string &program = kDispatchProgram) : engine(program) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(i);
    EXPECT_EQ(engine.loadRandom(), "");
    EXPECT_EQ(engine.open(), "");
  }
  std::vector<Array> inputs() {
    return {{"x", SORTIE_F32, {2, 8}, x.data()},
            {"ids", SORTIE_I32, {2, 2}, ids.data()},
            {"weights", SORTIE_F32, {2, 2}, weights.data()}};
  }
  std::vector<Array> outputs() { return {{"y", SORTIE_F32, {2, 8}, y.data()}}; }
  std::vector<float> expected() const {
    std::vector<float> result(16);
    for (size_t i = 0; i < 16; ++i)
      result[i] = x[i] * (i < 8 ? 1.5f : 2.25f);
    return result;
  }
};

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_RUNTIME_ENGINE_H
