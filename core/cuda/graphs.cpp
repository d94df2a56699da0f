#include "eflow/core/cuda/graphs.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::detail {
namespace {

using jit::CudaContext;

/// Owns a captured graph. It is destroyed once an executable was instantiated or updated from it.
class Captured {
 public:
  Captured(const CudaContext& context, jit::CuGraph graph) : context_(context), graph_(graph) {}
  ~Captured() {
    if (graph_ != nullptr) static_cast<void>(context_.api().graph_destroy(graph_));
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  [[nodiscard]] jit::CuGraph get() const { return graph_; }

 private:
  const CudaContext& context_;
  jit::CuGraph graph_;
};

}  // namespace

struct CudaGraphs::Executable {
  Executable(const CudaContext& on, jit::CuGraph graph) : context(on) {
    context.check(context.api().graph_instantiate(&handle, graph, 0), "cuGraphInstantiate",
                  "a captured step");
  }
  ~Executable() {
    if (context.is_shut_down()) return;
    static_cast<void>(context.api().graph_exec_destroy(handle));
  }
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  const CudaContext& context;
  jit::CuGraphExec handle = nullptr;
};

CudaGraphs::CudaGraphs(std::shared_ptr<const CudaContext> context, jit::CuStream stream)
    : context_(std::move(context)), stream_(stream) {}

CudaGraphs::~CudaGraphs() {
  if (context_->is_shut_down()) return;
  abandon();
  try {
    const CudaContext::Current current(*context_);
    executables_.clear();
  } catch (const std::exception& e) {
    log_warning("[cuda] graphs were not released: ", e.what());
  }
}

void CudaGraphs::end() {
  gathering_ = false;
  flush();
}

void CudaGraphs::add(std::uint64_t signature) {
  if (!gathering_) return;
  if (!capturing_) {
    const CudaContext::Current current(*context_);
    // Thread-local capture: driver calls of other threads are neither captured nor forbidden.
    context_->check(context_->api().capture_begin(stream_, jit::cu::kCaptureThreadLocal),
                    "cuStreamBeginCapture", "a training step");
    capturing_ = true;
    signature_ = 0;
  }
  signature_ = (signature_ ^ signature) * 0x9e3779b97f4a7c15ull + 1;
}

void CudaGraphs::flush() {
  if (!capturing_) return;
  capturing_ = false;
  const CudaContext::Current current(*context_);
  jit::CuGraph captured = nullptr;
  const jit::CuResult code = context_->api().capture_end(stream_, &captured);
  const Captured graph(*context_, captured);
  context_->check(code, "cuStreamEndCapture", "a training step");
  const Executable& executable = executable_for(signature_, graph.get());
  context_->check(context_->api().graph_launch(executable.handle, stream_), "cuGraphLaunch",
                  "a captured step (or earlier work)");
  ++launched_;
}

CudaGraphs::Executable& CudaGraphs::executable_for(std::uint64_t signature, jit::CuGraph graph) {
  std::unique_ptr<Executable>& found = executables_[signature];
  if (found) {
    jit::CuGraphUpdate result{};
    if (context_->api().graph_update(found->handle, graph, &result) == 0) return *found;
  }
  // There is none yet, or the driver cannot update it. The latter costs time but is not an error.
  found.reset();
  found = std::make_unique<Executable>(*context_, graph);
  ++made_;
  return *found;
}

void CudaGraphs::abandon() noexcept {
  gathering_ = false;
  if (!capturing_) return;
  capturing_ = false;
  try {
    const CudaContext::Current current(*context_);
    jit::CuGraph captured = nullptr;
    static_cast<void>(
        context_->api().capture_end(stream_, &captured));  // the failure is already reported
    const Captured graph(*context_, captured);
  } catch (const std::exception& e) {
    log_warning("[cuda] could not end a capture: ", e.what());
  }
}

}  // namespace eflow::detail
