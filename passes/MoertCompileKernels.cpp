// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moert-compile-kernels: sources of kernels become images.

#include "codegen/Compiler.h"
#include "passes/KernelReport.h"

#include "mlir/IR/Threading.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOERTCOMPILEKERNELS
#include "passes/Passes.h.inc"

namespace {

/// A source, and what came of it.
struct Job {
  moert::KernelOp kernel;
  moert::SourceAttr source;
  std::optional<codegen::CompiledImage> image;
  std::string error;

  Job(moert::KernelOp kernel, moert::SourceAttr source) : kernel(kernel), source(source) {}
};

/// A line on a terminal that counts kernels. Nothing is written to anything but a terminal.
class Progress {
public:
  explicit Progress(size_t total)
      : total(total), isShown(llvm::sys::Process::StandardErrIsDisplayed()) {}
  ~Progress() {
    if (isShown)
      llvm::errs() << "\r\033[K";
  }

  /// One more is ready. May be called by several threads at once.
  void step() {
    const std::lock_guard<std::mutex> lock(mutex);
    ++done;
    if (isShown)
      llvm::errs() << "\rcompiling kernels " << done << " of " << total;
  }

private:
  std::mutex mutex;
  size_t total;
  size_t done = 0;
  bool isShown;
};

class MoertCompileKernels : public impl::MoertCompileKernelsBase<MoertCompileKernels> {
public:
  using MoertCompileKernelsBase::MoertCompileKernelsBase;
  void runOnOperation() override;

private:
  SmallVector<Job> findJobs();
  std::optional<codegen::KernelCache> openCache();
  void compileAll(const codegen::Compiler &compiler, MutableArrayRef<Job> jobs);
  LogicalResult compile(MutableArrayRef<Job> jobs);
  void report(MutableArrayRef<Job> jobs);
  void attach(MutableArrayRef<Job> jobs);
};

SmallVector<Job> MoertCompileKernels::findJobs() {
  SmallVector<Job> jobs;
  for (auto kernel : getOperation().getOps<moert::KernelOp>())
    if (ArrayAttr sources = kernel.getSourcesAttr())
      for (auto source : sources.getAsRange<moert::SourceAttr>())
        jobs.emplace_back(kernel, source);
  return jobs;
}

std::optional<codegen::KernelCache> MoertCompileKernels::openCache() {
  if (cache == "none")
    return std::nullopt;
  llvm::Expected<codegen::KernelCache> opened =
      codegen::KernelCache::open(cache.empty() ? FileCache::getDefaultFolder() : cache.getValue());
  if (opened)
    return std::move(*opened);
  emitRemark(getOperation().getLoc(), "kernels are compiled without a cache: ")
      << toString(opened.takeError());
  return std::nullopt;
}

/// Its counter is gone when this returns: errors do not stand on its line.
void MoertCompileKernels::compileAll(const codegen::Compiler &compiler, MutableArrayRef<Job> jobs) {
  Progress progress(jobs.size());
  mlir::parallelFor(&getContext(), 0, jobs.size(), [&](size_t index) {
    Job &job = jobs[index];
    llvm::Expected<codegen::CompiledImage> image =
        compiler.compile(job.kernel.getEntry(), job.source.getText(), job.source.getArch());
    if (image)
      job.image = std::move(*image);
    else
      job.error = toString(image.takeError());
    progress.step();
  });
}

LogicalResult MoertCompileKernels::compile(MutableArrayRef<Job> jobs) {
  llvm::Expected<codegen::Nvrtc> nvrtc = codegen::Nvrtc::load();
  if (!nvrtc)
    return emitError(getOperation().getLoc(), toString(nvrtc.takeError()));
  const codegen::Compiler compiler(std::move(*nvrtc), openCache());
  compileAll(compiler, jobs);
  compiler.finish();
  // One error a kernel: what is wrong for one chip is wrong for all.
  moert::KernelOp failing;
  for (Job &job : jobs) {
    if (job.error.empty() || job.kernel == failing)
      continue;
    failing = job.kernel;
    emitError(failing.getLoc(), job.error);
  }
  return failure(failing);
}

void MoertCompileKernels::report(MutableArrayRef<Job> jobs) {
  llvm::StringMap<moert::LaunchOp> launches;
  getOperation().walk(
      [&](moert::LaunchOp launch) { launches.try_emplace(launch.getKernel(), launch); });
  int64_t maxTokens = 1;
  for (auto symbol : getOperation().getOps<moert::SymbolOp>())
    maxTokens = std::max(maxTokens, static_cast<int64_t>(symbol.getMax()));
  for (Job &job : jobs) {
    const std::optional<codegen::ResourceUsage> usage =
        codegen::parseResourceUsage(job.image->log, job.kernel.getEntry());
    if (usage && !usage->isCleanForJoined())
      emitWarning(job.kernel.getLoc(), "kernel '")
          << job.kernel.getSymName() << "' uses local memory on " << job.source.getArch() << ": "
          << usage->stack << " bytes a thread, " << usage->spillStores << " bytes of spill stores, "
          << usage->spillLoads << " of loads, and " << usage->staticShared
          << " bytes of static shared memory";
    if (printSchedule) {
      reportKernel(llvm::errs(), job.kernel, job.source, usage,
                   launches.lookup(job.kernel.getSymName()), maxTokens);
      llvm::errs() << (job.image->cached ? " [cached]\n" : "\n");
    }
    ++images;
    imageBytes += job.image->data.size();
    cached += job.image->cached ? 1 : 0;
  }
}

void MoertCompileKernels::attach(MutableArrayRef<Job> jobs) {
  llvm::MapVector<Operation *, SmallVector<Attribute>> imagesOf;
  for (Job &job : jobs) {
    const StringRef arch = job.source.getArch();
    imagesOf[job.kernel].push_back(moert::ImageAttr::create(
        &getContext(), arch, job.source.getShared(), job.source.getConfig(),
        (job.kernel.getSymName() + "_" + arch).str(), ArrayRef<char>(job.image->data)));
  }
  for (auto &[op, attributes] : imagesOf) {
    auto kernel = cast<moert::KernelOp>(op);
    kernel.setImagesAttr(ArrayAttr::get(&getContext(), attributes));
    kernel.removeSourcesAttr();
  }
}

void MoertCompileKernels::runOnOperation() {
  SmallVector<Job> jobs = findJobs();
  if (jobs.empty())
    return;
  if (failed(compile(jobs)))
    return signalPassFailure();
  report(jobs);
  attach(jobs);
}

} // namespace
} // namespace sortie
