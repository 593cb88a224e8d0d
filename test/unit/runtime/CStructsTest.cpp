// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What crosses the C API: structs of other versions, null pointers, counts that cannot be.

#include "test/unit/runtime/Engine.h"

#include <cstring>
#include <memory>

using namespace sortie::test;

namespace {

// NOLINTBEGIN(readability-identifier-naming): the names of sortie.h, so that the two can be
// compared
/// The structs of version 3, as programs that were compiled against it have them.
namespace v3 {
struct weights_options {
  size_t struct_size;
  sortie_weights_source source;
  const char *path;
  const void *const *buffers;
  const size_t *buffer_sizes;
  size_t buffer_count;
  sortie_read_tensor read;
  void *read_user;
  uint64_t seed;
  const size_t *functions;
  size_t function_count;
  int threads;
  const sortie_callbacks *callbacks;
  const char *device;
};
struct session_options {
  size_t struct_size;
  const char *device;
  int threads;
  const char *cpu_isa;
  int64_t max_tokens;
  int eager;
};
struct tensor {
  size_t struct_size;
  const char *name;
  sortie_dtype dtype;
  void *data;
  size_t rank;
  const int64_t *shape;
  const int64_t *strides;
  sortie_memory memory;
};
struct run_options {
  size_t struct_size;
  size_t function;
  const tensor *inputs;
  size_t input_count;
  const tensor *outputs;
  size_t output_count;
  const sortie_observer *observer;
  const sortie_callbacks *callbacks;
};
struct program_info {
  size_t struct_size;
  uint32_t abi;
  uint32_t numerics;
  const char *target;
  const char *contract;
  const char *producer;
  size_t function_count;
  size_t weight_count;
  size_t symbol_count;
  int has_fingerprint;
  uint64_t fingerprint;
  size_t kernel_count;
};
struct function_info {
  size_t struct_size;
  const char *name;
  size_t symbol;
  size_t input_count;
  size_t output_count;
  size_t step_count;
  size_t checkpoint_count;
};
struct value_info {
  size_t struct_size;
  const char *name;
  sortie_dtype dtype;
  size_t rank;
  const sortie_extent *shape;
};
struct weight_info {
  size_t struct_size;
  const char *tensor;
  const char *format;
  size_t rank;
  const int64_t *shape;
  uint64_t file_bytes;
  uint64_t packed_bytes;
};
struct memory_info {
  size_t struct_size;
  uint64_t weight_bytes;
  uint64_t arena_bytes;
  uint64_t scratch_bytes;
  uint64_t argument_bytes;
};

template <typename T> T make() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}
} // namespace v3
// NOLINTEND(readability-identifier-naming)

/// A caller's struct as the library declares it now.
template <typename New, typename Old> New *now(Old &old) { return reinterpret_cast<New *>(&old); }

/// `T` followed by bytes that only a newer version has.
template <typename T> struct Newer {
  T known = SORTIE_INIT(T);
  unsigned char rest[24] = {};

  Newer() { known.struct_size = sizeof(Newer); }
};

/// Expects that `call` refuses a struct_size that no version has, for this struct.
template <typename T, typename Call>
void expectSizesChecked(T &object, const std::string &name, size_t first, Call call) {
  const size_t saved = object.struct_size;
  for (const size_t size :
       {size_t{0}, size_t{8}, first - 1, first + 1, sizeof(T) - 1, size_t{4097}, SIZE_MAX}) {
    object.struct_size = size;
    sortie_error_code code = SORTIE_SUCCESS;
    const std::string message = take(call(), &code);
    EXPECT_EQ(message.rfind(name + ".struct_size is " + std::to_string(size) +
                                ", which no version of the struct has (" + std::to_string(first) +
                                ", ",
                            0),
              0u)
        << message;
    EXPECT_EQ(code, SORTIE_ERROR_INVALID);
  }
  object.struct_size = saved;
}

/// Expects that `call` refuses what is set behind the struct that the library knows.
template <typename T, typename Call>
void expectUnknownRefused(Newer<T> &newer, const std::string &name, Call call) {
  EXPECT_EQ(take(call()), "");
  newer.rest[23] = 1;
  sortie_error_code code = SORTIE_SUCCESS;
  const std::string message = take(call(), &code);
  EXPECT_EQ(
      message.rfind(name + " has " + std::to_string(sizeof(newer)) + " bytes, and what is", 0), 0u)
      << message;
  EXPECT_EQ(code, SORTIE_ERROR_UNSUPPORTED);
  newer.rest[23] = 0;
}

} // namespace

TEST(CStructs, callersOfVersion3KeepWorking) {
  Mix mix; // for the arrays
  Engine engine(kDispatchProgram);
  auto weights = v3::make<v3::weights_options>();
  weights.source = SORTIE_WEIGHTS_RANDOM;
  EXPECT_EQ(engine.load(now<sortie_weights_options>(weights)), "");
  auto session = v3::make<v3::session_options>();
  session.threads = 1;
  EXPECT_EQ(engine.open(now<sortie_session_options>(session)), "");

  const int64_t wide[] = {2, 8}, narrow[] = {2, 2};
  v3::tensor in[3] = {v3::make<v3::tensor>(), v3::make<v3::tensor>(), v3::make<v3::tensor>()};
  in[0].name = "x", in[0].data = mix.x.data(), in[0].shape = wide;
  in[1].name = "ids", in[1].data = mix.ids.data(), in[1].shape = narrow, in[1].dtype = SORTIE_I32;
  in[2].name = "weights", in[2].data = mix.weights.data(), in[2].shape = narrow;
  v3::tensor out = v3::make<v3::tensor>();
  out.name = "y", out.data = mix.y.data(), out.shape = wide, out.rank = 2;
  for (v3::tensor &tensor : in)
    tensor.rank = 2;
  auto options = v3::make<v3::run_options>();
  options.inputs = in, options.input_count = 3;
  options.outputs = &out, options.output_count = 1;
  EXPECT_EQ(take(sortie_session_run(engine.session, now<sortie_run_options>(options))), "");
  EXPECT_EQ(mix.y, mix.expected());
}

TEST(CStructs, infosOfVersion3AreNotOverrun) {
  const Engine engine(kDenseProgram);
  auto check = [&](auto value, auto fill) {
    struct {
      decltype(value) known;
      unsigned char guard[64];
    } room;
    std::memset(&room, 0x55, sizeof(room));
    room.known.struct_size = sizeof(value);
    fill(room.known);
    EXPECT_EQ(room.known.struct_size, sizeof(value));
    for (const unsigned char byte : room.guard)
      EXPECT_EQ(byte, 0x55);
    return room.known;
  };
  EXPECT_EQ(check(v3::program_info(),
                  [&](auto &info) {
                    sortie_program_get_info(engine.program, now<sortie_program_info>(info));
                  })
                .function_count,
            2u);
  EXPECT_EQ(check(v3::function_info(),
                  [&](auto &info) {
                    EXPECT_EQ(take(sortie_program_get_function(engine.program, 0,
                                                               now<sortie_function_info>(info))),
                              "");
                  })
                .step_count,
            2u);
  EXPECT_EQ(check(v3::value_info(),
                  [&](auto &info) {
                    EXPECT_EQ(take(sortie_program_get_input(engine.program, 0, 0,
                                                            now<sortie_value_info>(info))),
                              "");
                  })
                .rank,
            2u);
  EXPECT_EQ(check(v3::weight_info(),
                  [&](auto &info) {
                    EXPECT_EQ(take(sortie_program_get_weight(engine.program, 1,
                                                             now<sortie_weight_info>(info))),
                              "");
                  })
                .file_bytes,
            128u);
  EXPECT_EQ(check(v3::memory_info(),
                  [&](auto &info) {
                    EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 2, 1,
                                                             now<sortie_memory_info>(info))),
                              "");
                  })
                .arena_bytes,
            128u);
}

TEST(CStructs, sizesThatNoVersionHasAreRefused) {
  Mix mix;
  const sortie_program *program = mix.engine.program;
  sortie_symbol_info symbol = SORTIE_INIT(sortie_symbol_info);
  expectSizesChecked(symbol, "sortie_symbol_info", offsetof(sortie_symbol_info, is_session),
                     [&] { return sortie_program_get_symbol(program, 0, &symbol); });
  sortie_function_info function = SORTIE_INIT(sortie_function_info);
  expectSizesChecked(function, "sortie_function_info", offsetof(sortie_function_info, symbol_count),
                     [&] { return sortie_program_get_function(program, 0, &function); });
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  expectSizesChecked(value, "sortie_value_info", offsetof(sortie_value_info, shape_symbols),
                     [&] { return sortie_program_get_input(program, 0, 0, &value); });
  expectSizesChecked(value, "sortie_value_info", offsetof(sortie_value_info, shape_symbols),
                     [&] { return sortie_program_get_output(program, 0, 0, &value); });
  sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
  expectSizesChecked(memory, "sortie_memory_info", offsetof(sortie_memory_info, argument_bytes),
                     [&] { return sortie_program_get_memory(program, nullptr, 0, 0, 1, &memory); });
  EXPECT_EQ(memory.arena_bytes, 0u);

  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  sortie_weights_options weights = SORTIE_INIT(sortie_weights_options);
  weights.source = SORTIE_WEIGHTS_RANDOM;
  weights.callbacks = &callbacks;
  sortie_weights *noWeights = nullptr;
  auto load = [&] { return sortie_weights_create(program, &weights, &noWeights); };
  expectSizesChecked(weights, "sortie_weights_options", offsetof(sortie_weights_options, device),
                     load);
  expectSizesChecked(callbacks, "sortie_callbacks", sizeof(callbacks), load);
  EXPECT_EQ(noWeights, nullptr);
  sortie_verify_options verify = SORTIE_INIT(sortie_verify_options);
  sortie_verify_info verified = SORTIE_INIT(sortie_verify_info);
  auto verifyAll = [&] { return sortie_weights_verify(program, &weights, &verify, &verified); };
  expectSizesChecked(weights, "sortie_weights_options", offsetof(sortie_weights_options, device),
                     verifyAll);
  expectSizesChecked(verify, "sortie_verify_options", sizeof(verify), verifyAll);
  expectSizesChecked(verified, "sortie_verify_info", sizeof(verified), verifyAll);
  sortie_weights_info loaded = SORTIE_INIT(sortie_weights_info);
  expectSizesChecked(loaded, "sortie_weights_info", sizeof(loaded),
                     [&] { return sortie_weights_get_info(mix.engine.weights, &loaded); });
  sortie_session_options session = SORTIE_INIT(sortie_session_options);
  sortie_session *noSession = nullptr;
  expectSizesChecked(
      session, "sortie_session_options", offsetof(sortie_session_options, eager),
      [&] { return sortie_session_create(program, mix.engine.weights, &session, &noSession); });
  EXPECT_EQ(noSession, nullptr);

  RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_observer observer = SORTIE_INIT(sortie_observer);
  arguments.options.observer = &observer;
  arguments.options.callbacks = &callbacks;
  auto run = [&] { return sortie_session_run(mix.engine.session, &arguments.options); };
  expectSizesChecked(arguments.options, "sortie_run_options", sizeof(sortie_run_options), run);
  expectSizesChecked(observer, "sortie_observer", sizeof(observer), run);
  expectSizesChecked(callbacks, "sortie_callbacks", sizeof(callbacks), run);
  expectSizesChecked(arguments.in[0], "sortie_tensor", offsetof(sortie_tensor, memory), run);
  expectSizesChecked(arguments.out[0], "sortie_tensor", offsetof(sortie_tensor, memory), run);
  arguments.in[2].struct_size = 0;
  EXPECT_EQ(take(run()), "sortie_tensor.struct_size is 0 in element 2 of an array, " +
                             std::to_string(sizeof(sortie_tensor)) +
                             " in element 0; make all of them with SORTIE_INIT");
  EXPECT_EQ(mix.y[0], -1.0f);
}

TEST(CStructs, membersThatTheLibraryDoesNotKnowMustBeZero) {
  Mix mix;
  Newer<sortie_weights_options> weights;
  weights.known.source = SORTIE_WEIGHTS_RANDOM;
  expectUnknownRefused(weights, "sortie_weights_options", [&] {
    sortie_weights *loaded = nullptr;
    sortie_error *error = sortie_weights_create(mix.engine.program, &weights.known, &loaded);
    sortie_weights_destroy(loaded);
    return error;
  });
  Newer<sortie_session_options> session;
  expectUnknownRefused(session, "sortie_session_options", [&] {
    sortie_session *opened = nullptr;
    sortie_error *error =
        sortie_session_create(mix.engine.program, mix.engine.weights, &session.known, &opened);
    sortie_session_destroy(opened);
    return error;
  });
  const RunOptions arguments(mix.inputs(), mix.outputs());
  Newer<sortie_run_options> options;
  std::memcpy(reinterpret_cast<char *>(&options.known) + sizeof(size_t),
              reinterpret_cast<const char *>(&arguments.options) + sizeof(size_t),
              sizeof(sortie_run_options) - sizeof(size_t));
  auto run = [&] { return sortie_session_run(mix.engine.session, &options.known); };
  expectUnknownRefused(options, "sortie_run_options", run);
  Newer<sortie_tensor> output;
  output.known = arguments.out[0];
  output.known.struct_size = sizeof(output);
  options.known.outputs = &output.known;
  expectUnknownRefused(output, "sortie_tensor", run);
  Newer<sortie_observer> observer;
  options.known.observer = &observer.known;
  expectUnknownRefused(observer, "sortie_observer", run);
  Newer<sortie_callbacks> callbacks;
  options.known.callbacks = &callbacks.known;
  expectUnknownRefused(callbacks, "sortie_callbacks", run);
}

TEST(CStructs, unknownMembersOfInfosBecomeZero) {
  const Engine engine(kDenseProgram);
  Newer<sortie_symbol_info> symbol;
  std::memset(symbol.rest, 0x55, sizeof(symbol.rest));
  EXPECT_EQ(take(sortie_program_get_symbol(engine.program, 0, &symbol.known)), "");
  EXPECT_EQ(symbol.known.max, 16);
  EXPECT_EQ(symbol.known.struct_size, sizeof(symbol));
  for (const unsigned char byte : symbol.rest)
    EXPECT_EQ(byte, 0);
}

TEST(CStructs, infoWithoutErrorsIgnoresWhatIsNotValid) {
  const Engine engine(kDenseProgram);
  sortie_program_info info;
  std::memset(&info, 0x55, sizeof(info));
  info.struct_size = 0;
  sortie_program_get_info(engine.program, &info);
  EXPECT_EQ(info.function_count, 0x5555555555555555u);
  sortie_program_get_info(nullptr, &info);
  sortie_program_get_info(engine.program, nullptr);
  EXPECT_EQ(sortie_error_get_code(nullptr), SORTIE_SUCCESS);
  EXPECT_STREQ(sortie_error_message(nullptr), "");
  EXPECT_STREQ(sortie_session_device(nullptr), "");
}

TEST(CStructs, nullPointersAreErrorsEverywhere) {
  Mix mix;
  const sortie_program *program = mix.engine.program;
  sortie_program *parsed = nullptr;
  sortie_weights *weights = nullptr;
  sortie_session *session = nullptr;
  sortie_weights_options loading = SORTIE_INIT(sortie_weights_options);
  sortie_function_info function = SORTIE_INIT(sortie_function_info);
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  sortie_weight_info weight = SORTIE_INIT(sortie_weight_info);
  sortie_symbol_info symbol = SORTIE_INIT(sortie_symbol_info);
  sortie_kernel_info kernel = SORTIE_INIT(sortie_kernel_info);
  sortie_image_info image = SORTIE_INIT(sortie_image_info);
  sortie_weights_info loaded = SORTIE_INIT(sortie_weights_info);
  sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
  const RunOptions arguments(mix.inputs(), mix.outputs());
  size_t index = 0;
  int flag = 0;
  const char *name = nullptr;
  sortie_error *errors[] = {sortie_program_open(nullptr, &parsed),
                            sortie_program_open("x", nullptr),
                            sortie_program_parse(nullptr, 0, "x", &parsed),
                            sortie_program_parse("x", 1, nullptr, &parsed),
                            sortie_program_parse("x", 1, "x", nullptr),
                            sortie_program_get_symbol(nullptr, 0, &symbol),
                            sortie_program_get_symbol(program, 0, nullptr),
                            sortie_program_get_function(nullptr, 0, &function),
                            sortie_program_get_function(program, 0, nullptr),
                            sortie_program_find_function(nullptr, "mix", &index),
                            sortie_program_find_function(program, nullptr, &index),
                            sortie_program_find_function(program, "mix", nullptr),
                            sortie_program_get_input(nullptr, 0, 0, &value),
                            sortie_program_get_input(program, 0, 0, nullptr),
                            sortie_program_get_output(nullptr, 0, 0, &value),
                            sortie_program_get_output(program, 0, 0, nullptr),
                            sortie_program_get_weight(nullptr, 0, &weight),
                            sortie_program_get_weight(program, 0, nullptr),
                            sortie_program_uses_weight(nullptr, 0, 0, &flag),
                            sortie_program_uses_weight(program, 0, 0, nullptr),
                            sortie_program_get_memory(nullptr, nullptr, 0, 0, 0, &memory),
                            sortie_program_get_memory(program, nullptr, 0, 0, 0, nullptr),
                            sortie_program_get_memory(program, nullptr, 1, 0, 0, &memory),
                            sortie_program_get_kernel(nullptr, 0, &kernel),
                            sortie_program_get_kernel(program, 0, nullptr),
                            sortie_program_get_image(nullptr, 0, 0, &image),
                            sortie_program_get_image(program, 0, 0, nullptr),
                            sortie_weights_create(nullptr, &loading, &weights),
                            sortie_weights_create(program, nullptr, &weights),
                            sortie_weights_create(program, &loading, nullptr),
                            sortie_weights_get_info(nullptr, &loaded),
                            sortie_weights_get_info(mix.engine.weights, nullptr),
                            sortie_weights_verify(nullptr, &loading, nullptr, nullptr),
                            sortie_weights_verify(program, nullptr, nullptr, nullptr),
                            sortie_get_cpu_isa(0, nullptr, &flag),
                            sortie_get_cpu_isa(0, &name, nullptr),
                            sortie_session_create(nullptr, mix.engine.weights, nullptr, &session),
                            sortie_session_create(program, nullptr, nullptr, &session),
                            sortie_session_create(program, mix.engine.weights, nullptr, nullptr),
                            sortie_session_run(nullptr, &arguments.options),
                            sortie_session_run(mix.engine.session, nullptr),
                            sortie_session_time(nullptr, &arguments.options, 0, nullptr),
                            sortie_session_time(mix.engine.session, &arguments.options, 1, nullptr),
                            sortie_session_submit(nullptr, &arguments.options, nullptr),
                            sortie_session_submit(mix.engine.session, nullptr, nullptr),
                            sortie_run_query(nullptr, &flag),
                            sortie_run_wait(nullptr),
                            sortie_session_query(nullptr, &flag),
                            sortie_session_query(mix.engine.session, nullptr),
                            sortie_session_wait(nullptr)};
  for (size_t i = 0; i < std::size(errors); ++i) {
    sortie_error_code code = SORTIE_SUCCESS;
    const std::string message = take(errors[i], &code);
    EXPECT_TRUE(contains(message, "is a null pointer")) << "call " << i << ": " << message;
    EXPECT_EQ(code, SORTIE_ERROR_INVALID) << "call " << i;
  }
}

TEST(CStructs, arraysOfPointersAreChecked) {
  Mix mix;
  auto load = [&](const sortie_weights_options &options) {
    sortie_weights *weights = nullptr;
    return take(sortie_weights_create(mix.engine.program, &options, &weights));
  };
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_RANDOM;
  options.function_count = 1;
  EXPECT_EQ(load(options), "the list of functions is a null pointer");
  const size_t functions[2] = {0, 0};
  options.functions = functions;
  options.function_count = 2;
  EXPECT_EQ(load(options), "a list of 2 functions is given, test.mlir has 1; name each one once");
  options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_MEMORY;
  const void *buffer = nullptr;
  const size_t size = 100;
  options.buffer_count = 1;
  options.buffers = &buffer;
  EXPECT_EQ(load(options), "the list of weight buffers is a null pointer");
  options.buffer_sizes = &size;
  EXPECT_EQ(load(options), "weights in memory, part 1 is a null pointer");
  options.buffer_count = 0;
  EXPECT_EQ(load(options), "weights come from 0 buffers, they must be 1 to 1024: one a part");
  options.buffer_count = SIZE_MAX;
  EXPECT_TRUE(contains(load(options), "from 18446744073709551615 buffers"));
  options = SORTIE_INIT(sortie_weights_options);
  EXPECT_EQ(load(options),
            "the source of the weights is 0, which is none of sortie_weights_source");
}

TEST(CStructs, optionsOfWeightsAreCheckedBeforeTheModelIsOpened) {
  Mix mix;
  auto load = [&](const sortie_weights_options &options) {
    sortie_weights *weights = nullptr;
    return take(sortie_weights_create(mix.engine.program, &options, &weights));
  };
  auto verify = [&](const sortie_weights_options &options) {
    return take(sortie_weights_verify(mix.engine.program, &options, nullptr, nullptr));
  };
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_FILE;
  options.path = "/absent.gguf";
  auto expectBoth = [&](const std::string &part) {
    for (const std::string &message : {load(options), verify(options)})
      EXPECT_TRUE(contains(message, part)) << message;
  };
  expectBoth("/absent.gguf");
  const sortie_callbacks callbacks = {};
  options.callbacks = &callbacks;
  expectBoth("sortie_callbacks.struct_size is 0");
  options.callbacks = nullptr;
  options.threads = -1;
  expectBoth("the number of threads is -1");
  options.threads = 0;
  options.function_count = 1;
  expectBoth("the list of functions is a null pointer");
}

TEST(CStructs, countsThatCannotBeAreRefused) {
  Mix mix;
  RunOptions arguments(mix.inputs(), mix.outputs());
  auto run = [&] { return take(sortie_session_run(mix.engine.session, &arguments.options)); };
  arguments.options.input_count = SIZE_MAX;
  EXPECT_EQ(run(), "function 'mix': 18446744073709551615 inputs are given, it has 3");
  arguments.options.input_count = 3;
  arguments.options.output_count = 2;
  EXPECT_EQ(run(), "function 'mix': 2 outputs are given, it has 1");
  arguments.options.outputs = nullptr;
  EXPECT_EQ(run(), "the list of outputs is a null pointer");
  arguments.options.outputs = arguments.out.data();
  arguments.options.output_count = 1;
  arguments.in[0].rank = SIZE_MAX;
  EXPECT_EQ(run(), "'x' has 18446744073709551615 dimensions, at most 8 are possible");
  arguments.in[0].rank = 2;
  uint64_t time = 0;
  EXPECT_EQ(take(sortie_session_time(mix.engine.session, &arguments.options, SIZE_MAX, &time)),
            "18446744073709551615 repetitions are asked for, at most 16777216 are possible");
  EXPECT_EQ(run(), "");
}
