#include "eflow/core/cuda_graphs.hpp"

#include "eflow/base/error.hpp"
#include "eflow/base/log.hpp"

namespace eflow::detail {
namespace {

using jit::CudaContext;

/// A graph as the driver captured it, until it is made or updated an executable of.
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
                  "a gathered step");
  }
  ~Executable() { static_cast<void>(context.api().graph_exec_destroy(handle)); }
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  const CudaContext& context;
  jit::CuGraphExec handle = nullptr;
};

CudaGraphs::CudaGraphs(std::shared_ptr<const CudaContext> context, jit::CuStream stream)
    : context_(std::move(context)), stream_(stream) {}

CudaGraphs::~CudaGraphs() {
  abandon();
  try {
    const CudaContext::Current current(*context_);
    executables_.clear();
  } catch (const std::exception& e) {
    log_warning("[cuda] graphs stay on the device: ", e.what());
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
    // Of this thread alone: what others do with the driver meanwhile is theirs.
    context_->check(context_->api().capture_begin(stream_, jit::cu::kCaptureThreadLocal),
                    "cuStreamBeginCapture", "a step");
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
  context_->check(code, "cuStreamEndCapture", "a step");
  const Executable& executable = executable_for(signature_, graph.get());
  context_->check(context_->api().graph_launch(executable.handle, stream_), "cuGraphLaunch",
                  "a gathered step (or earlier work)");
  ++launched_;
}

CudaGraphs::Executable& CudaGraphs::executable_for(std::uint64_t signature, jit::CuGraph graph) {
  std::unique_ptr<Executable>& found = executables_[signature];
  if (found) {
    jit::CuGraphUpdate result{};
    if (context_->api().graph_update(found->handle, graph, &result) == 0) return *found;
  }
  // New, or the driver cannot change the old one into it, which costs time and is no failure.
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
    static_cast<void>(context_->api().capture_end(stream_, &captured));  // what failed is told
    const Captured graph(*context_, captured);
  } catch (const std::exception& e) {
    log_warning("[cuda] a capture was not ended: ", e.what());
  }
}

}  // namespace eflow::detail
