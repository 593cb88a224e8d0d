/* Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * sortie.h: the C API of the Sortie runtime (libsortie.so).
 *
 * Three objects, made in this order:
 *   program   a compiled program (from sortie-opt): immutable, may be shared by threads
 *   weights   the tensors that a program names, packed once for a device: immutable, shareable
 *   session   scratch memory, states and threads of one caller: used by one thread at a time
 * and, for a caller that does not wait, a fourth: the run, which a session gives.
 *
 *   sortie_program *program = NULL;
 *   sortie_error *error = sortie_program_open("model.mlirbc", &program);
 *   if (error) { puts(sortie_error_message(error)); sortie_error_destroy(error); return 1; }
 *
 * Rules of the whole API:
 * - The library prints nothing, never calls abort() on bad input and throws no exceptions. A
 *   function that can fail returns a sortie_error *: NULL is success, anything else says what is
 *   wrong, where, and what to do, and belongs to the caller (sortie_error_destroy). After an error,
 *   outputs of the function are unchanged, except that the values of a failed run are unspecified.
 * - Every struct begins with struct_size, which the caller sets to sizeof the struct it was
 *   compiled with; SORTIE_INIT does, and makes all other members zero. Members that a caller's
 *   version of a struct does not have are taken as zero, and zero always means the default, so
 *   programs built against an older header keep working. With an older library, members that it
 *   does not know must be zero, or the call is an error; in structs that the library fills they
 *   become zero. A struct_size that no version has is an error: 0, less than the struct had at
 *   first, or more than 4096. Structs in an array have one struct_size.
 * - Null pointers, counts and enumerators that cannot be are errors wherever a function can return
 *   one. What may be NULL is said where it stands.
 * - A session and its runs take one call at a time. A call while another one is under way, in
 *   another thread or from a callback, is an error and changes nothing. Program and weights take
 *   any number of calls.
 * - After fork(), the child may use the programs, and the weights on a CPU, that it inherited, and
 *   makes sessions of its own. A call with a session or run of the parent is an error there;
 *   nothing of a GPU works in the child. Destroying what was inherited is valid.
 * - Objects keep what they were made from alive: they may be destroyed in any order. Destroying
 *   NULL does nothing. Strings and arrays in info structs live as long as the program they
 *   describe.
 * - Indices count from 0. Names are zero-terminated UTF-8.
 */

#ifndef SORTIE_SORTIE_H
#define SORTIE_SORTIE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SORTIE_API __attribute__((visibility("default")))
#define SORTIE_RESULT SORTIE_API __attribute__((warn_unused_result))
#else
#define SORTIE_API
#define SORTIE_RESULT
#endif

#ifdef __cplusplus
/* Templates have the linkage of C++ also where this header is included inside extern "C". */
extern "C++" {
template <typename T> inline T sortie_init() {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}
}

extern "C" {
#endif

/* Version of this interface. It grows when something is added; functions and members are never
 * removed or given another meaning. */
#define SORTIE_ABI_VERSION 7u

/* sortie_run_options options = SORTIE_INIT(sortie_run_options); */
#ifdef __cplusplus
#define SORTIE_INIT(type) sortie_init<type>()
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L
#define SORTIE_INIT(type) {.struct_size = sizeof(type)}
#else
#define SORTIE_INIT(type) {sizeof(type)}
#endif

/* The SORTIE_ABI_VERSION that the library was built with. */
SORTIE_API uint32_t sortie_abi_version(void);
/* Version of the library, such as "0.1.0". */
SORTIE_API const char *sortie_version(void);
/* What `threads` of 0 means: the processors that the calling thread may run on (its affinity mask),
 * or as many as the quota of the process's control groups is worth, if that is less. Since 4. */
SORTIE_API int sortie_available_processors(void);

/* ---- Errors ---------------------------------------------------------- */

typedef struct sortie_error sortie_error;

typedef enum sortie_error_code {
  SORTIE_SUCCESS = 0,             /* of NULL, which is no error */
  SORTIE_ERROR_INVALID = 1,       /* an argument, a file or a value is not what it must be */
  SORTIE_ERROR_NOT_FOUND = 2,     /* no such file, function, input or tensor */
  SORTIE_ERROR_UNSUPPORTED = 3,   /* well formed, but this version or this machine cannot do it */
  SORTIE_ERROR_OUT_OF_MEMORY = 4, /* memory or threads are exhausted */
  SORTIE_ERROR_CANCELLED = 5,     /* a cancel callback asked for it */
  SORTIE_ERROR_IO = 6,            /* the operating system failed to read */
  SORTIE_ERROR_DEVICE = 7         /* the GPU or its driver failed */
} sortie_error_code;

SORTIE_API sortie_error_code sortie_error_get_code(const sortie_error *error);
/* One message, usually one line; "" of NULL. Lives as long as the error. */
SORTIE_API const char *sortie_error_message(const sortie_error *error);
SORTIE_API void sortie_error_destroy(sortie_error *error);

/* ---- Callbacks ------------------------------------------------------- */

/* Both are called from the thread that called the library. */
typedef struct sortie_callbacks {
  size_t struct_size;
  void *user;
  /* done of total bytes (or steps) of `what` are finished. */
  void (*progress)(void *user, const char *what, uint64_t done, uint64_t total);
  /* Non-zero ends the work early with SORTIE_ERROR_CANCELLED. */
  int (*cancelled)(void *user);
} sortie_callbacks;

/* ---- Program --------------------------------------------------------- */

typedef struct sortie_program sortie_program;

/* Loads and checks a program: its hash (bytecode), versions, every operation, and that no step can
 * leave its buffers. `name` stands in messages. */
SORTIE_RESULT sortie_error *sortie_program_open(const char *path, sortie_program **program);
SORTIE_RESULT sortie_error *sortie_program_parse(const void *bytes, size_t size, const char *name,
                                                 sortie_program **program);
SORTIE_API void sortie_program_destroy(sortie_program *program);

typedef struct sortie_program_info {
  size_t struct_size;
  uint32_t abi;         /* ABI version of the program format */
  uint32_t numerics;    /* version of the numerics contract */
  const char *target;   /* "cpu" or "cuda": of functions that state none */
  const char *contract; /* what cannot change a bit: "run, batch, device" */
  const char *producer; /* the compiler that made it */
  size_t function_count;
  size_t weight_count;
  size_t symbol_count;
  int has_fingerprint; /* non-zero: weights must have this fingerprint */
  uint64_t fingerprint;
  size_t kernel_count;  /* of a program for a GPU */
  int fingerprint_rule; /* by which the fingerprint is computed, 1 or 2: docs/runtime.md. Since 4 */
  size_t hash_count;    /* tensors that the program records hashes of. Since 4 */
  /* Where the program is not what its model file says, because the import was told so: such as
   * {experts_used = 4 : i64}; NULL if it is. Since 4 */
  const char *import_options;
  size_t state_count; /* Since 5 */
} sortie_program_info;

/* Writes nothing when an argument is NULL or info->struct_size is not valid. */
SORTIE_API void sortie_program_get_info(const sortie_program *program, sortie_program_info *info);

/* A named, bounded number that is known when a function runs, such as "tokens". */
typedef struct sortie_symbol_info {
  size_t struct_size;
  const char *name;
  int64_t max;
  int is_session; /* non-zero: sizes of states depend on it. It has one value as long as a session
                   * lives, which sortie_session_options.symbols says. Since 7 */
} sortie_symbol_info;

SORTIE_RESULT sortie_error *sortie_program_get_symbol(const sortie_program *program, size_t index,
                                                      sortie_symbol_info *info);

typedef enum sortie_dtype {
  SORTIE_F32 = 0,
  SORTIE_I32 = 1,
  SORTIE_F16 = 2, /* as input where f32 is wanted, too: converted exactly */
  SORTIE_BF16 = 3 /* likewise */
} sortie_dtype;

/* The extent per_symbol * symbol + constant, symbol being that of the function, or the one that
 * sortie_value_info.shape_symbols names. */
typedef struct sortie_extent {
  int64_t per_symbol;
  int64_t constant;
} sortie_extent;

typedef struct sortie_function_info {
  size_t struct_size;
  const char *name;
  size_t symbol; /* index of the function's symbol, or SIZE_MAX: it has none, or several. A caller
                  * whose struct ends before symbol_count cannot ask for one with several */
  size_t input_count;
  size_t output_count;
  size_t step_count;
  size_t checkpoint_count; /* named values, function outputs not among them */
  size_t symbol_count;     /* that its extents depend on. Since 4 */
  const size_t *symbols;   /* their indices, [symbol_count] */
  const char *target;      /* "cpu" or "cuda": what it runs on. Since 6 */
  size_t device;           /* number of that kind of device among those that the program uses: where
                            * number 0 lies, sortie_weights_options.device says */
  int activation_bits;     /* width of its quantized activations: 8, 16, or 24 if it has both; 0 if
                            * it has none. Since 7 */
} sortie_function_info;

/* An input or output. */
typedef struct sortie_value_info {
  size_t struct_size;
  const char *name;
  sortie_dtype dtype;
  size_t rank;
  const sortie_extent *shape; /* row-major, [rank] */
  /* Index of the symbol of each extent, or SIZE_MAX: it is constant. [rank]. Since 4 */
  const size_t *shape_symbols;
} sortie_value_info;

SORTIE_RESULT sortie_error *sortie_program_get_function(const sortie_program *program, size_t index,
                                                        sortie_function_info *info);
SORTIE_RESULT sortie_error *sortie_program_find_function(const sortie_program *program,
                                                         const char *name, size_t *index);
SORTIE_RESULT sortie_error *sortie_program_get_input(const sortie_program *program, size_t function,
                                                     size_t index, sortie_value_info *info);
SORTIE_RESULT sortie_error *sortie_program_get_output(const sortie_program *program,
                                                      size_t function, size_t index,
                                                      sortie_value_info *info);

/* A weight is one tensor of the model, a part of the rows of each of its matrices, a part of the
 * columns of each row, or several tensors of one shape and format, one for each index of the
 * weight's first dimension (one for each expert). In memory a row of a tensor is as long as its
 * format makes tensor_shape[tensor_rank - 1] elements, and rows follow each other. */
typedef struct sortie_weight_info {
  size_t struct_size;
  const char *tensor; /* name in the model; of several, the first */
  const char *format; /* "q4_K" */
  size_t rank;
  const int64_t *shape;  /* of the weight, row-major, [rank] */
  uint64_t file_bytes;   /* of the weight in the model's file */
  uint64_t packed_bytes; /* in the memory of the devices whose functions read it */
  size_t tensor_count;
  const char *const *tensors; /* names in the model, [tensor_count] */
  size_t tensor_rank;
  const int64_t *tensor_shape; /* of each tensor, row-major, [tensor_rank]; a file may hold it with
                                * more or fewer dimensions of one */
  int64_t first_row;           /* where the weight's rows begin in each matrix of a tensor, */
  int64_t first_column;        /* and its elements in each of these rows */
  /* Since 7. 1: the weight's matrices lie one below the other in one matrix of a tensor. */
  int joined;
  /* 1: they are transposes of the tensor's, and `first_row` is where their columns begin. */
  int transposed;
  const char *decoded_format; /* "f32": what `format` is decoded to when it is read; or NULL */
} sortie_weight_info;

SORTIE_RESULT sortie_error *sortie_program_get_weight(const sortie_program *program, size_t index,
                                                      sortie_weight_info *info);
/* Whether a function reads a weight. */
SORTIE_RESULT sortie_error *sortie_program_uses_weight(const sortie_program *program,
                                                       size_t function, size_t weight, int *uses);

/* Memory of a session that functions of the program read and write, and that stays from one run to
 * the next: see "States". Since 5. */
typedef struct sortie_state_info {
  size_t struct_size;
  const char *name;
  sortie_dtype dtype;
  size_t rank;
  const int64_t *shape; /* row-major, [rank]; of a program, 0 where it depends on a symbol */
  uint64_t bytes;       /* likewise */
  const sortie_extent *extents; /* [rank]. Since 7 */
  const size_t *extent_symbols; /* of each extent its symbol, of the session; SIZE_MAX: none.
                                 * [rank]. Since 7 */
  /* Of a cache of attention, a row of which is a page: heads of keys, elements of a head of keys
   * and of values, those of the rotated part of latent attention's keys, and bits of an element.
   * All are 0 of other states. Since 7. */
  int64_t cache_heads;
  int64_t cache_key;
  int64_t cache_value;
  int64_t cache_rotated;
  int cache_bits;
} sortie_state_info;

SORTIE_RESULT sortie_error *sortie_program_get_state(const sortie_program *program, size_t index,
                                                     sortie_state_info *info);
SORTIE_RESULT sortie_error *sortie_program_find_state(const sortie_program *program,
                                                      const char *name, size_t *index);

/* A symbol by its name. Since 7. */
typedef struct sortie_symbol_value {
  size_t struct_size;
  const char *name;
  int64_t value; /* of a symbol of the session: its value; of another: the most that runs have */
} sortie_symbol_value;

typedef struct sortie_memory_info {
  size_t struct_size;
  uint64_t weight_bytes;   /* packed weights of the functions asked for */
  uint64_t arena_bytes;    /* intermediate values of the largest of these functions, and what
                            * cuBLAS works in where one needs it */
  uint64_t scratch_bytes;  /* of all threads, on the host */
  uint64_t argument_bytes; /* inputs and outputs of the largest of these functions on a GPU */
  uint64_t state_bytes;    /* all states on the devices of these functions. Since 5 */
} sortie_memory_info;

/* Memory that running these functions takes, before anything is allocated: on the devices that they
 * run on, together, but for scratch_bytes. function_count 0 means all functions, max_tokens 0 the
 * program's own limit, threads 0 sortie_available_processors(). What sortie_session_create refuses
 * is refused here, too: max_tokens that are negative or beyond the program's limit. Inputs and
 * outputs on the host are the caller's; those that are not contiguous are copied, which is not
 * counted. Symbols of the session count as 0: see sortie_program_plan_memory. */
SORTIE_RESULT sortie_error *sortie_program_get_memory(const sortie_program *program,
                                                      const size_t *functions,
                                                      size_t function_count, int64_t max_tokens,
                                                      int threads, sortie_memory_info *info);

typedef struct sortie_session_options sortie_session_options;

/* The same for a session with these options, which may be NULL; their device and cpu_isa change
 * nothing. Since 7. */
SORTIE_RESULT sortie_error *sortie_program_plan_memory(const sortie_program *program,
                                                       const size_t *functions,
                                                       size_t function_count,
                                                       const sortie_session_options *options,
                                                       sortie_memory_info *info);

/* A kernel of a program for a GPU. */
typedef struct sortie_kernel_info {
  size_t struct_size;
  const char *name;
  uint32_t threads;   /* of a thread block, where an image has no others */
  size_t image_count; /* machine code for several architectures */
} sortie_kernel_info;

typedef struct sortie_image_info {
  size_t struct_size;
  const char *architecture; /* "sm_90a": a cubin for it; "compute_80": PTX */
  uint64_t bytes;
  uint32_t shared_bytes; /* shared memory of a thread block */
  uint32_t threads;      /* of a thread block. Since 6 */
  uint32_t cluster[3];   /* thread blocks that run together, along x, y and z. Since 6 */
} sortie_image_info;

SORTIE_RESULT sortie_error *sortie_program_get_kernel(const sortie_program *program, size_t index,
                                                      sortie_kernel_info *info);
SORTIE_RESULT sortie_error *sortie_program_get_image(const sortie_program *program, size_t kernel,
                                                     size_t index, sortie_image_info *info);

/* ---- Weights --------------------------------------------------------- */

typedef struct sortie_weights sortie_weights;

typedef enum sortie_weights_source {
  SORTIE_WEIGHTS_FILE = 1,     /* a GGUF file, or the first part of a split one */
  SORTIE_WEIGHTS_MEMORY = 2,   /* the same in memory: one buffer a part */
  SORTIE_WEIGHTS_CALLBACK = 3, /* the caller delivers the tensors' bytes */
  SORTIE_WEIGHTS_RANDOM = 4    /* valid random blocks, see docs/runtime.md */
} sortie_weights_source;

/* Delivers `size` bytes of a tensor, by its name in the model, as the GGUF file would hold them,
 * from byte `offset` of the tensor on: all that a weight needs of it and that lies together, or at
 * least 1 MiB of that, in whole rows (of a weight that is a part of the columns: a part of one row,
 * whole blocks). Non-zero means failure. Calls come one at a time, from any thread. */
typedef int (*sortie_read_tensor)(void *user, const char *tensor, uint64_t offset, uint64_t size,
                                  void *destination);

typedef struct sortie_weights_options {
  size_t struct_size;
  sortie_weights_source source;
  const char *path;           /* FILE */
  const void *const *buffers; /* MEMORY; not copied, may be freed when creation is done */
  const size_t *buffer_sizes; /* MEMORY */
  size_t buffer_count;        /* MEMORY */
  sortie_read_tensor read;    /* CALLBACK */
  void *read_user;            /* CALLBACK */
  uint64_t seed;              /* RANDOM */
  const size_t *functions;    /* load what these functions read, each named once; all when
                               * function_count is 0 */
  size_t function_count;
  int threads;                       /* 0: sortie_available_processors() */
  const sortie_callbacks *callbacks; /* may be NULL */
  const char *device; /* "cpu", "cuda" or "cuda:N" for GPU number N: where device 0 of that kind
                       * lies; device 1 is the next GPU. NULL: "cuda:0" of functions for GPUs */
  /* Since 4. NULL, or weights that were created from the same model on the same device, for this
   * program or another one. A tensor that they hold in the form that this program needs is used in
   * place: it is not read again, and takes memory once. Its memory is freed when all that use it
   * are gone (on a GPU, all that was allocated with it). The source delivers the rest. That the
   * models are the same is checked for FILE and MEMORY (by all tensors' names, types and shapes,
   * and samples of their bytes), and for RANDOM (by the seed); a CALLBACK's is for the caller to
   * know. */
  const sortie_weights *share;
} sortie_weights_options;

/* Finds every weight, compares name, format and shape (and the fingerprint, for FILE and MEMORY),
 * then packs them for the device of the functions. Of a program with functions for several devices,
 * each gets what its functions read. Files are mapped, not read whole. */
SORTIE_RESULT sortie_error *sortie_weights_create(const sortie_program *program,
                                                  const sortie_weights_options *options,
                                                  sortie_weights **weights);
SORTIE_API void sortie_weights_destroy(sortie_weights *weights);

/* What can be wrong with weights. */
typedef enum sortie_finding_kind {
  SORTIE_FINDING_FINGERPRINT = 1, /* the model is another one than the program was compiled for */
  SORTIE_FINDING_TENSOR = 2,      /* a tensor is missing, or has another format or shape */
  SORTIE_FINDING_NO_HASH = 3,     /* the program records hashes of tensors, but none of this one */
  SORTIE_FINDING_HASH = 4,        /* the bytes of a tensor hash to something else */
  SORTIE_FINDING_VALUE = 5        /* a scale, minimum or weight is infinite or NaN */
} sortie_finding_kind;

typedef struct sortie_finding {
  size_t struct_size;
  sortie_finding_kind kind;
  const char *tensor;  /* name in the model; "" for FINGERPRINT */
  int64_t expert;      /* VALUE in a tensor of experts; -1 elsewhere */
  int64_t row;         /* VALUE: of the expert; -1 elsewhere */
  uint64_t count;      /* VALUE: all such values of the tensor, of which the first five are told */
  const char *message; /* what is wrong, for people; the tensor is not named again */
} sortie_finding;

typedef struct sortie_verify_options {
  size_t struct_size;
  int values; /* non-zero: look for scales, minimums and weights that are infinite or NaN, too */
  void *user;
  /* Called for each finding, from the thread that called the library; may be NULL. The strings live
   * during the call. */
  void (*finding)(void *user, const sortie_finding *finding);
} sortie_verify_options;

typedef struct sortie_verify_info {
  size_t struct_size;
  uint64_t tensor_count; /* that were read */
  uint64_t hash_count;   /* of these, those that were compared with a recorded hash */
  uint64_t byte_count;
  uint64_t finding_count;
} sortie_verify_info;

/* Reads the tensors that the functions of `options` read whole, from FILE or MEMORY, and compares
 * them with the hashes that the program records (sortie-translate --hash-weights), and the model
 * with its fingerprint. Packs nothing and needs no device. `verify` and `info` may be NULL.
 * Findings are told in the order of the tensors' names, and end in an error, SORTIE_ERROR_INVALID:
 * then `info` is filled all the same. A program without hashes is an error, unless values are asked
 * for: SORTIE_ERROR_UNSUPPORTED. Since 4. */
SORTIE_RESULT sortie_error *sortie_weights_verify(const sortie_program *program,
                                                  const sortie_weights_options *options,
                                                  const sortie_verify_options *verify,
                                                  sortie_verify_info *info);

/* Since 4. */
typedef struct sortie_weights_info {
  size_t struct_size;
  const char *device;    /* for people: "cpu", "cuda:0 (NVIDIA H100)", "cpu, cuda:0 (NVIDIA H100)";
                          * lives as long as the weights */
  uint64_t bytes;        /* of the device's memory that were allocated for these weights */
  uint64_t shared_bytes; /* of sortie_weights_options.share that these weights use in place */
} sortie_weights_info;

SORTIE_RESULT sortie_error *sortie_weights_get_info(const sortie_weights *weights,
                                                    sortie_weights_info *info);

/* ---- Session --------------------------------------------------------- */

typedef struct sortie_session sortie_session;

/* The instruction sets that the CPU device has kernels for: SORTIE_ERROR_NOT_FOUND past the last.
 */
SORTIE_RESULT sortie_error *sortie_get_cpu_isa(size_t index, const char **name, int *is_available);

struct sortie_session_options {
  size_t struct_size;
  const char *device;  /* NULL: where the weights are; another one is an error */
  int threads;         /* 0: sortie_available_processors(). Does not change a bit of any result */
  const char *cpu_isa; /* NULL: the best available. Does not change a bit of any result */
  int64_t max_tokens;  /* of every symbol; 0: the program's own limits */
  int eager; /* GPU: non-zero launches kernels one by one, instead of CUDA graphs that are captured
              * once for each number of tokens. Errors of kernels name the operation either way; in
              * eager runs it is certain to be the right one. Does not change a bit of any result */
  /* Since 7. Each symbol of the session needs a value; of others this is the most that runs have,
   * instead of max_tokens. Names are given once. */
  const sortie_symbol_value *symbols;
  size_t symbol_count;
};

/* Allocates the memory of intermediate values, once for all functions, and of states. A run
 * allocates copies of arguments that are not contiguous; on a GPU also the CUDA graph of a function
 * and number of tokens that are new (of each function the 16 graphs that were used last are kept),
 * and what more or larger submitted runs than ever before need. `options` may be NULL. */
SORTIE_RESULT sortie_error *sortie_session_create(const sortie_program *program,
                                                  const sortie_weights *weights,
                                                  const sortie_session_options *options,
                                                  sortie_session **session);
/* While a call with the session is under way, that is when it returns: a callback may destroy the
 * session of its run. A call that begins after this one is not valid. In a process that has
 * inherited the session by fork(), its memory stays allocated: it is the parent's. */
SORTIE_API void sortie_session_destroy(sortie_session *session);
/* The device of a session for people: "cpu", "cuda:0 (NVIDIA H100)"; "" of NULL. Lives as long as
 * the session. */
SORTIE_API const char *sortie_session_device(const sortie_session *session);

typedef enum sortie_memory {
  SORTIE_HOST = 0,  /* pageable or pinned */
  SORTIE_DEVICE = 1 /* of the function's GPU */
} sortie_memory;

/* An array. Inputs are only read. Outputs may not share a byte with inputs, with each other, or
 * with themselves (stride 0); columns of one buffer do not, and are valid. Arrays in device memory
 * must be of the very type, without gaps, and begin at a multiple of 64 bytes; they are used in
 * place, and graphs are captured anew when they move. */
typedef struct sortie_tensor {
  size_t struct_size;
  const char *name; /* of the function's input or output */
  sortie_dtype dtype;
  void *data;
  size_t rank;
  const int64_t *shape;   /* [rank] */
  const int64_t *strides; /* [rank] in bytes, may be negative; NULL: row-major without gaps */
  sortie_memory memory;   /* where data points to */
} sortie_tensor;

/* What one step did. */
typedef struct sortie_step_info {
  size_t struct_size;
  size_t index;
  const char *operation; /* "moert.matmul" */
  const char *label;     /* names of its weights and states, or "" */
  uint64_t begin_ns;     /* since the run began, by the clock of the device */
  uint64_t end_ns;
  uint64_t bytes;      /* of weights (of the experts in use) and buffers, read and written */
  uint64_t operations; /* additions and multiplications of matrix products; 0 elsewhere */
} sortie_step_info;

/* Called during a run, in the order of the program, from the thread that called. On a GPU a run
 * that is observed is eager, and steps are reported when it is complete. */
typedef struct sortie_observer {
  size_t struct_size;
  void *user;
  void (*step)(void *user, const sortie_step_info *info);
  /* The 64-bit hash of a named value: the first 8 bytes (little-endian) of BLAKE3 over its
   * elements, row-major, unpadded, little-endian, rows in canonical order. is_present 0: the
   * compiler fused the value away, hash is 0. Function outputs come last, named
   * "<function>:<output>". */
  void (*checkpoint)(void *user, const char *name, int is_present, uint64_t hash);
} sortie_observer;

typedef struct sortie_run_options {
  size_t struct_size;
  size_t function;
  const sortie_tensor *inputs;
  size_t input_count;
  const sortie_tensor *outputs;
  size_t output_count;
  const sortie_observer *observer;   /* may be NULL */
  const sortie_callbacks *callbacks; /* may be NULL; asked between steps */
} sortie_run_options;

/* Runs a function. Every input and output is given once, by name, in any order. The function's
 * symbol follows from the shapes of the inputs; 0 tokens are valid. The run is complete when this
 * returns, on a GPU, too, and so are those that were submitted before. */
SORTIE_RESULT sortie_error *sortie_session_run(sortie_session *session,
                                               const sortie_run_options *options);

/* Runs a function, repeats it `count` times on the same inputs, and gives the time of each
 * repetition in nanoseconds. On a GPU: the time on the device, without copies from and to the host,
 * with caches that hold nothing of it. options->observer and callbacks are not called. States are
 * updated by each repetition. */
SORTIE_RESULT sortie_error *sortie_session_time(sortie_session *session,
                                                const sortie_run_options *options, size_t count,
                                                uint64_t *nanoseconds);

/* ---- Submitted runs -------------------------------------------------- */

/* A run that was submitted: used by the thread that uses its session. */
typedef struct sortie_run sortie_run;

/* Enqueues a run behind those that were submitted before, and returns without waiting: for the
 * device, and, but for a first run with a number of tokens, without much work of the host. Arrays
 * belong to the run until it is complete: inputs may not change, and outputs hold nothing before
 * sortie_run_wait, sortie_session_wait or a query has said so, or the session is destroyed. Arrays
 * in pinned host memory (cudaMallocHost, cudaHostRegister) or device memory are used in place;
 * others are copied, into pinned memory that the session allocates for the first such run and keeps
 * for later ones. options->observer and callbacks must be NULL. `run` may be NULL. On the CPU the
 * run is complete when this returns.
 *
 * The error of this function concerns the arguments or the enqueueing. What goes wrong later, bad
 * expert ids among it, is the error of sortie_run_wait. */
SORTIE_RESULT sortie_error *
sortie_session_submit(sortie_session *session, const sortie_run_options *options, sortie_run **run);
/* Whether a run is complete, without waiting, and waiting for it and all before it. Runs of a
 * session are complete in the order of submission. sortie_run_wait returns the run's error, each
 * time the same. */
SORTIE_RESULT sortie_error *sortie_run_query(sortie_run *run, int *is_complete);
SORTIE_RESULT sortie_error *sortie_run_wait(sortie_run *run);
/* Forgets a run, which goes on. */
SORTIE_API void sortie_run_destroy(sortie_run *run);

/* The same for all runs of a session: sortie_session_wait returns the first run's error that no
 * function has returned yet, and the next one when it is called again. sortie_session_destroy
 * waits, too, and forgets errors. */
SORTIE_RESULT sortie_error *sortie_session_query(const sortie_session *session, int *is_complete);
SORTIE_RESULT sortie_error *sortie_session_wait(sortie_session *session);

/* ---- States ---------------------------------------------------------- */

/* A session has the states of its program for itself. They are zeros when it is made, and hold what
 * its runs and the functions below wrote last. A run that failed leaves those that its function
 * writes unspecified: reset or write them. All functions wait for the runs that were submitted
 * before; errors of those are still told as ever. On a GPU, states lie in its memory. Since 5. */

/* A state as it is in a session: all of its extents are known. `shape` lives as long as the
 * session. Since 7. */
SORTIE_RESULT sortie_error *sortie_session_get_state(const sortie_session *session, size_t state,
                                                     sortie_state_info *info);

/* Sets all states, or one, to zeros. */
SORTIE_RESULT sortie_error *sortie_session_reset_states(sortie_session *session);
SORTIE_RESULT sortie_error *sortie_session_reset_state(sortie_session *session, size_t state);

/* Copies a state to the host, and back: to save and to restore it. `size` is the state's number of
 * bytes, or the call is an error. Elements are row-major without gaps, little-endian. */
SORTIE_RESULT sortie_error *sortie_session_read_state(const sortie_session *session, size_t state,
                                                      void *data, size_t size);
SORTIE_RESULT sortie_error *sortie_session_write_state(sortie_session *session, size_t state,
                                                       const void *data, size_t size);

/* Makes all states of a session equal to those of another session of the same program, which must
 * have them and may be on another GPU. The call needs both for itself alone. */
SORTIE_RESULT sortie_error *sortie_session_copy_states(sortie_session *session,
                                                       const sortie_session *from);

/* ---- Sequences ------------------------------------------------------- */

/* A whole model with the caches of its sequences: tokens in, logits out, in as many runs as it
 * takes. The program has a function "forward", as docs/whole-models.md describes it. No bit of a
 * row of logits depends on the other sequences, on how tokens are cut into calls, on forks, or on
 * whether a sequence was saved and loaded. A call that fails changes no sequence. The rules for
 * sessions hold for sequences: one call at a time. All of this since 7. */
typedef struct sortie_sequences sortie_sequences;

typedef struct sortie_sequences_options {
  size_t struct_size;
  /* Device, threads, instruction set; max_tokens and symbols must be zero, since they follow from
   * the numbers below. May be NULL. */
  const sortie_session_options *session;
  int64_t count;      /* sequences at once; 0: 1 */
  int64_t context;    /* the most tokens of each; 0: the program's */
  int64_t pages;      /* of 128 tokens, of all sequences; 0: what all can need together */
  int64_t run_tokens; /* of one run of the function; 0: 512. Changes no bit */
  int64_t run_rows;   /* of logits of one run; 0: the number of sequences. Changes no bit */
} sortie_sequences_options;

/* Makes a session. `options` may be NULL. The weights are those of all functions, or of "forward",
 * "copy_pages", "read_pages" and "write_pages". */
SORTIE_RESULT sortie_error *sortie_sequences_create(const sortie_program *program,
                                                    const sortie_weights *weights,
                                                    const sortie_sequences_options *options,
                                                    sortie_sequences **sequences);
/* Not while a call is under way. */
SORTIE_API void sortie_sequences_destroy(sortie_sequences *sequences);

typedef struct sortie_sequences_info {
  size_t struct_size;
  int64_t vocabulary; /* logits of a row; tokens are below */
  int64_t context;    /* the most tokens of a sequence */
} sortie_sequences_info;

SORTIE_RESULT sortie_error *sortie_sequences_get_info(const sortie_sequences *sequences,
                                                      sortie_sequences_info *info);

/* A new sequence without tokens: its number is below `count`. SORTIE_ERROR_OUT_OF_MEMORY if there
 * are as many as can be. */
SORTIE_RESULT sortie_error *sortie_sequences_add(sortie_sequences *sequences, uint32_t *sequence);
/* A new sequence with the tokens of another one, which shares their memory until one of both goes
 * on. */
SORTIE_RESULT sortie_error *sortie_sequences_fork(sortie_sequences *sequences, uint32_t sequence,
                                                  uint32_t *copy);
/* Forgets the tokens from `length` on. */
SORTIE_RESULT sortie_error *sortie_sequences_truncate(sortie_sequences *sequences,
                                                      uint32_t sequence, int64_t length);
/* Ends a sequence; its number may be given to another one. */
SORTIE_RESULT sortie_error *sortie_sequences_remove(sortie_sequences *sequences, uint32_t sequence);
SORTIE_RESULT sortie_error *sortie_sequences_length(const sortie_sequences *sequences,
                                                    uint32_t sequence, int64_t *length);

/* Tokens that a sequence goes on with. */
typedef struct sortie_piece {
  size_t struct_size;
  uint32_t sequence;
  const int32_t *tokens;
  size_t token_count; /* at least 1, at most the context */
  size_t row_count;   /* logits are wanted of so many of the last tokens */
} sortie_piece;

/* Runs pieces of several sequences, each of which is named once. Logits are the wanted rows, in the
 * order of the pieces and of their tokens, one behind another; `logit_count` is their number, rows
 * times vocabulary. SORTIE_ERROR_OUT_OF_MEMORY if there are too few pages, which says how many are
 * missing. */
SORTIE_RESULT sortie_error *sortie_sequences_run(sortie_sequences *sequences,
                                                 const sortie_piece *pieces, size_t piece_count,
                                                 float *logits, size_t logit_count);

/* Takes some bytes more of a file. Non-zero ends the call with SORTIE_ERROR_IO. */
typedef int (*sortie_write)(void *user, const void *data, size_t size);

/* Writes a sequence as a file (docs/whole-models.md), piece by piece, and makes a sequence of the
 * bytes of such a file, which are checked as those of a program are. */
SORTIE_RESULT sortie_error *sortie_sequences_save(sortie_sequences *sequences, uint32_t sequence,
                                                  sortie_write write, void *user);
SORTIE_RESULT sortie_error *sortie_sequences_load(sortie_sequences *sequences, const void *data,
                                                  size_t size, uint32_t *sequence);

#ifdef __cplusplus
}
#endif

#endif /* SORTIE_SORTIE_H */
