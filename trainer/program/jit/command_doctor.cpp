// eflow jit doctor: reports which tools are available and what each missing one costs.
#include "eflow/core/base/error.hpp"
#include "eflow/jit/cuda/cublas_api.hpp"
#include "eflow/jit/cuda/driver.hpp"
#include "eflow/jit/cuda/nccl_api.hpp"
#include "eflow/jit/host/module.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"

namespace eflow::jit {
namespace {

/// A kernel that any working compiler can build.
constexpr const char* kTrial = "reduce<f32, f32>(0)";

void cpu(const Options& options, std::ostream& out) {
  std::string names;
  for (const Isa isa : usable_isas()) names += str(names.empty() ? "" : ", ", name_of(isa));
  out << "cpu             " << names << "; using "
      << name_of(options.isa ? *options.isa : default_isa()) << " on "
      << (options.threads > 0 ? options.threads : available_threads()) << " threads\n";
}

/// Compiles the trial kernel, bypassing all caches. Returns whether that succeeded.
bool try_compile(KernelBuilder& builder, const Target& target, std::ostream& out) {
  try {
    const BuildRequest request = builder.request(parse_kernel(kTrial), target);
    const Compiled made = builder.compiler(target.backend).compiler->compile(request, {});
    if (target.backend == Backend::kHost) static_cast<void>(load_host_kernel(made.image));
    out << "                a kernel for " << target.arch << " compiles in "
        << describe_seconds(made.seconds) << '\n';
    return true;
  } catch (const Error& e) {
    out << "                BUT a small kernel fails: " << e.what() << '\n';
    return false;
  }
}

bool host_compiler(KernelBuilder& builder, const Options& options, std::ostream& out) {
  const FoundCompiler& found = builder.compiler(Backend::kHost);
  if (found) {
    out << "host compiler   " << found.compiler->toolchain() << '\n';
    return try_compile(builder, parse_target("cpu", options), out);
  }
  out << "host compiler   " << found.why << "\n"
      << "                cost: kernels specialised at run time are unavailable on the CPU unless "
         "a "
         "pack or the\n"
      << "                cache contains them; their compositions of built-in kernels are correct "
         "but slower\n";
  return false;
}

void nvrtc(KernelBuilder& builder, std::ostream& out) {
  const FoundCompiler& found = builder.compiler(Backend::kCuda);
  if (found) {
    out << "nvrtc           " << found.compiler->toolchain() << '\n';
    try_compile(builder, {Backend::kCuda, "sm_90a"}, out);
  } else {
    out << "nvrtc           " << found.why << "\n"
        << "                cost: kernels for a GPU cannot be compiled; the CPU does not need "
           "it\n";
  }
}

void driver(const Options& options, std::ostream& out) {
  const CudaDriver cuda = probe_cuda_driver(options.cuda_library);
  for (const CudaDevice& d : cuda.devices) {
    out << "gpu             " << d.name << ", " << d.arch() << ", " << d.multiprocessors
        << " multiprocessors, " << describe_bytes(d.memory) << "; driver for CUDA "
        << cuda.version / 1000 << '.' << cuda.version % 1000 / 10 << '\n';
  }
  if (cuda.devices.empty()) {
    out << "gpu             " << cuda.why << "\n                cost: everything runs on the CPU\n";
  }
}

void cublas(const Options& options, std::ostream& out) {
  const char* const cost =
      "                cost: matrix products on a GPU use eflow's own kernels\n";
  if (options.cublas_library == "off") {
    out << "cublaslt        disabled by EFLOW_CUBLASLT\n" << cost;
    return;
  }
  std::string why;
  if (const auto api = open_cublas(options.cublas_library, why)) {
    const std::size_t version = api->version();
    out << "cublaslt        " << version / 10000 << '.' << version / 100 % 100 << '.'
        << version % 100 << '\n';
  } else {
    out << "cublaslt        " << why << '\n' << cost;
  }
}

void nccl_library(const Options& options, std::ostream& out) {
  std::string why;
  if (const auto api = find_nccl(options.nccl, options.nccl_library, why)) {
    out << "nccl            " << api->version() << '\n';
  } else {
    out << "nccl            " << why
        << "\n                cost: several GPUs exchange data through host memory\n";
  }
}

void caches(KernelBuilder& builder, const Options& options, std::ostream& out) {
  if (DiskCache* disk = builder.disk()) {
    std::uint64_t bytes = 0;
    const std::vector<CacheEntry> entries = disk->entries();
    for (const CacheEntry& e : entries) bytes += e.bytes;
    out << "disk cache      " << disk->options().root.string() << ": " << entries.size()
        << " kernels, " << describe_bytes(bytes) << " of "
        << describe_bytes(disk->options().max_bytes) << '\n';
    if (!disk->writable())
      out << "                it is not writable: new kernels are compiled again in every run\n";
  } else {
    out << "disk cache      none: " << builder.disk_why() << "\n"
        << "                cost: every run compiles its kernels again\n";
  }
  for (const auto& pack : builder.packs())
    out << "pack            " << pack->path().string() << ": " << pack->size() << " kernels\n";
  if (builder.packs().size() < options.packs.size())
    out << "pack            some packs in EFLOW_PACKS cannot be read\n";
}

}  // namespace

int run_doctor(KernelBuilder& builder, const Options& options, std::ostream& out) {
  cpu(options, out);
  const bool sound = host_compiler(builder, options, out);
  nvrtc(builder, out);
  driver(options, out);
  cublas(options, out);
  nccl_library(options, out);
  caches(builder, options, out);
  const char* modes[] = {"on", "forbid: kernels come from caches and packs only",
                         "off: built-in kernels only"};
  out << "jit             " << modes[static_cast<int>(options.mode)] << '\n';
  if (!options.kernel_dir.empty())
    out << "texts           " << options.kernel_dir.string() << " override the embedded ones\n";
  return sound ? 0 : 1;
}

}  // namespace eflow::jit
