// The Device of a GPU: a stream of its own, stream-ordered memory, copies through pinned staging
// memory, kernels compiled or loaded on first launch. docs/cuda.md says
// what has run on hardware and what is tested without.

#include "eflow/core/tensor/device.hpp"

#include <algorithm>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/cuda/cublas_gemm.hpp"
#include "eflow/core/cuda/graphs.hpp"
#include "eflow/core/cuda/memory.hpp"
#include "eflow/core/cuda/staging.hpp"
#include "eflow/core/cuda/tuned_products.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/cuda/stream.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow {
namespace {

using jit::CuAddress;
using jit::CudaContext;
using jit::CuStream;

CuAddress address_of(const void* memory) {
  return reinterpret_cast<CuAddress>(memory);
}

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(const jit::Options& options)
      : runtime_(options),
        context_(runtime_.cuda_context()),
        own_(context_),
        graphs_(context_, own_.handle()),
        memory_(context_, plan(),
                [this](CuStream stream) {
                  if (stream == own_.handle()) graphs_.flush();
                }),
        staging_(context_),
        tuned_(runtime_) {
    runtime_.set_own_stream(stream());
    define_kernels(runtime_.builder().definitions());
    start_cublas();
  }
  ~CudaDevice() override {
    cublas_.reset();
    release_workspace();
  }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  std::string name() const override { return str("cuda:", context_->ordinal()); }
  jit::Runtime& runtime() override { return runtime_; }
  bool on_host() const override { return false; }
  Stream stream() const override { return {own_.handle()}; }
  BlockShape block_shape() const override {
    return {
        .elements = 2048, .least_rows = 8, .sum_parts = 64, .tiles_copies = true, .most_yz = 65535};
  }

  void* allocate(std::size_t bytes, Stream stream) override {
    return memory_.allocate(bytes, handle_of(stream));
  }
  void release(void* memory, std::size_t bytes, Stream stream) noexcept override {
    memory_.release(memory, bytes, handle_of(stream));
  }
  MemoryStats memory() const override { return memory_.stats(); }
  void reset_peak() override { memory_.reset_peak(); }
  void trim() override { memory_.trim(); }

  void copy_in(void* device, const void* host, std::size_t bytes, Stream stream) override {
    if (bytes == 0) return;
    const CuStream on = handle_of(stream);
    auto* const to = static_cast<std::byte*>(device);
    const auto* const from = static_cast<const std::byte*>(host);
    for (std::size_t at = 0; at < bytes;) {
      if (staging_.room(on) == 0) {
        graphs_.flush();  // a capture allows none of what making room takes
        staging_.make_room(on);
      }
      const std::size_t part = std::min(staging_.room(on), bytes - at);
      gather(on, kCopy, [&] { staging_.copy(address_of(to + at), from + at, part, on); });
      at += part;
    }
  }
  void copy_out(void* host, const void* device, std::size_t bytes, Stream stream) override {
    if (bytes == 0) return;
    graphs_.flush();
    const CudaContext::Current current(*context_);
    context_->check(context_->api().copy_out(host, address_of(device), bytes, handle_of(stream)),
                    "cuMemcpyDtoHAsync", "a copy from the device");
  }
  void fill_zero(void* device, std::size_t bytes, Stream stream) override {
    if (bytes == 0) return;
    const CudaContext::Current current(*context_);
    const CuStream on = handle_of(stream);
    gather(on, kFill, [&] {
      context_->check(context_->api().set_bytes(address_of(device), 0, bytes, on),
                      "cuMemsetD8Async", str(bytes, " bytes"));
    });
  }
  void synchronize(Stream stream) override {
    graphs_.flush();
    runtime_.synchronize({handle_of(stream)});
  }

  void begin_gathering() override {
    if (runtime_.options().graphs) graphs_.begin();
  }
  void end_gathering() override { graphs_.end(); }
  void issue_gathered() override { graphs_.flush(); }
  void abandon_gathering() noexcept override { graphs_.abandon(); }

  bool multiply_by_library(const args::Gemm& g, DType in, DType out, Stream stream) override {
    if (!cublas_ || stream.handle != nullptr) return false;  // the workspace belongs to own_
    bool done = false;
    const auto shape = static_cast<std::uint64_t>((g.m * 131 + g.n) * 131 + g.k);
    gather(own_.handle(), kMultiply ^ shape << 8,
           [&] { done = cublas_->run(g, in, out, own_.handle()); });
    return done;
  }

  void launch_bytes(std::string_view name, const jit::KernelSpec& spec, jit::Grid grid,
                    const void* args, std::size_t bytes, Stream stream,
                    const jit::ArgumentTypes& types) override {
    make_ready(name, spec);
    const CuStream on = handle_of(stream);
    gather(on, jit::KernelSpecHash()(spec),
           [&] { runtime_.launch_bytes(name, spec, grid, args, bytes, {on}, types); });
  }

 private:
  /// Kinds of work other than kernels, for graph signatures.
  enum Kind : std::uint64_t { kCopy = 1, kFill = 2, kMultiply = 3 };

  /// Issues work; while gathering, it is captured into a graph. If it fails, the gathered work is
  /// discarded.
  template <class F>
  void gather(CuStream on, std::uint64_t signature, F&& issue) {
    if (on == own_.handle()) graphs_.add(signature);
    try {
      issue();
    } catch (...) {
      if (on == own_.handle()) graphs_.abandon();
      throw;
    }
  }

  /// Loads cuBLASLt. If that fails, warns: the project's own GEMM kernels are used instead.
  void start_cublas() {
    const jit::Options& options = runtime_.options();
    if (options.cublas_library == "off") return;
    std::string why;
    const std::optional<jit::CublasApi> api =
        jit::find_cublas(options.cublas, options.cublas_library, why);
    if (api) {
      workspace_ = memory_.allocate(detail::CublasGemm::kWorkspaceBytes, own_.handle());
      try {
        cublas_.emplace(context_, *api, options.tf32, workspace_,
                        [this](const detail::LtProblem& problem) {
                          return tuned_.find(problem, cublas_->library());
                        });
        return;
      } catch (const DeviceError& error) {
        why = error.what();
        release_workspace();
      }
    }
    log_warning("[cuda] ", why, "; matrix products use the built-in kernels");
  }

  void release_workspace() noexcept {
    if (workspace_ == nullptr) return;
    memory_.release(workspace_, detail::CublasGemm::kWorkspaceBytes, own_.handle());
    workspace_ = nullptr;
  }

  /// Returns the driver's stream; Stream{} is own_.
  CuStream handle_of(Stream stream) const {
    return stream.handle == nullptr ? own_.handle() : static_cast<CuStream>(stream.handle);
  }

  /// Compiles or loads a kernel unless it is loaded. Throws CompileError.
  void make_ready(std::string_view name, const jit::KernelSpec& spec) {
    if (runtime_.has(spec)) return;
    const auto made = runtime_.prepare({{std::string(name), spec}});
    if (!made[0].ok()) throw CompileError(made[0].error);
  }

  jit::Runtime runtime_;
  std::shared_ptr<const CudaContext> context_;
  jit::CudaStream own_;
  detail::CudaGraphs graphs_;
  detail::CudaMemory memory_;
  detail::CudaStaging staging_;
  detail::TunedProducts tuned_;
  void* workspace_ = nullptr;  ///< device memory of cublas_
  std::optional<detail::CublasGemm> cublas_;
};

}  // namespace

DevicePtr make_cuda_device(const jit::Options& options) {
  return std::make_shared<CudaDevice>(options);
}

}  // namespace eflow
