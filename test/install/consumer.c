/* Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions. */
/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */

/* Embeds the installed runtime from C: runs `double` of add.mlir, y = x + x, on two tokens, and
   then opens a file that does not exist. Exit status 0 if both went as they must. */

#include <sortie/sortie.h>
#include <stdio.h>
#include <string.h>

static sortie_error *runDouble(const char *path, const float *x, float *y) {
  sortie_program *program = NULL;
  sortie_weights *weights = NULL;
  sortie_session *session = NULL;
  size_t function = 0;
  sortie_error *error = sortie_program_open(path, &program);
  if (!error)
    error = sortie_program_find_function(program, "double", &function);

  sortie_weights_options source = SORTIE_INIT(sortie_weights_options);
  source.source = SORTIE_WEIGHTS_RANDOM;
  if (!error)
    error = sortie_weights_create(program, &source, &weights);
  if (!error)
    error = sortie_session_create(program, weights, NULL, &session);

  const int64_t shape[] = {2, 4};
  sortie_tensor input = SORTIE_INIT(sortie_tensor);
  input.name = "x";
  input.dtype = SORTIE_F32;
  input.data = (void *)x;
  input.rank = 2;
  input.shape = shape;
  sortie_tensor output = input;
  output.name = "y";
  output.data = y;
  sortie_run_options run = SORTIE_INIT(sortie_run_options);
  run.function = function;
  run.inputs = &input;
  run.input_count = 1;
  run.outputs = &output;
  run.output_count = 1;
  if (!error)
    error = sortie_session_run(session, &run);

  sortie_session_destroy(session);
  sortie_weights_destroy(weights);
  sortie_program_destroy(program);
  return error;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  float y[8] = {0};
  sortie_error *error = runDouble(argv[1], x, y);
  if (error) {
    fprintf(stderr, "consumer: %s\n", sortie_error_message(error));
    return 1;
  }
  for (int i = 0; i < 8; ++i)
    if (y[i] != 2 * x[i]) {
      fprintf(stderr, "consumer: y[%d] is %g, wanted %g\n", i, y[i], 2 * x[i]);
      return 1;
    }

  sortie_program *none = NULL;
  error = sortie_program_open("no-such-program.mlirbc", &none);
  int refused = error && sortie_error_get_code(error) == SORTIE_ERROR_NOT_FOUND &&
                strstr(sortie_error_message(error), "no-such-program.mlirbc");
  printf("sortie %s, ABI %u: %s\n", sortie_version(), sortie_abi_version(),
         refused ? sortie_error_message(error) : "a missing file was not refused");
  sortie_error_destroy(error);
  return refused ? 0 : 1;
}
