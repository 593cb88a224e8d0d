// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Streams of the emulated device: queues of work that is done when somebody waits.

#ifndef SORTIE_TEST_EMULATION_DRIVER_STREAM_H
#define SORTIE_TEST_EMULATION_DRIVER_STREAM_H

#include "runtime/cuda/DriverApi.h"

#include <functional>

namespace sortie::emulation {

using Operation = std::function<cuda::CUresult()>;

/// Puts work into a stream, or into the graph that the stream is captured into.
cuda::CUresult enqueue(cuda::CUstream stream, Operation operation);

/// Does the work of a stream. Returns an error of the work, if any, which remains the context's.
cuda::CUresult flush(cuda::CUstream stream);

bool isStreamCapturing(cuda::CUstream stream);

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_DRIVER_STREAM_H
