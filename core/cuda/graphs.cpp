#include "eflow/core/cuda/graphs.hpp"

#include <algorithm>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/jit/cuda/launch.hpp"

namespace eflow::detail {

using jit::CudaContext;

/// A captured graph. Its nodes name those of the executable graph that was instantiated from it, so
/// it lives as long as that one.
struct CudaGraphs::Graph {
  Graph(const CudaContext& on, jit::CuGraph owned) : context(on), handle(owned) {}
  ~Graph() {
    if (handle == nullptr || context.is_shut_down()) return;
    static_cast<void>(context.api().graph_destroy(handle));
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  const CudaContext& context;
  jit::CuGraph handle;
  /// Of each piece of work; null for one that added no node or several.
  std::vector<jit::CuGraphNode> nodes;
};

struct CudaGraphs::Executable {
  Executable(const CudaContext& on, jit::CuGraph graph) : context(on) {
    context.check(context.api().graph_instantiate(&handle, graph, 0), "cuGraphInstantiate",
                  "a captured step");
  }
  ~Executable() {
    if (context.is_shut_down()) return;
    // A running one is freed when it is done.
    static_cast<void>(context.api().graph_exec_destroy(handle));
  }
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  const CudaContext& context;
  jit::CuGraphExec handle = nullptr;
};

CudaGraphs::CudaGraphs(std::shared_ptr<const CudaContext> context, jit::CuStream stream,
                       Multiply multiply)
    : context_(std::move(context)), stream_(stream), multiply_(std::move(multiply)) {}

CudaGraphs::~CudaGraphs() {
  if (context_->is_shut_down()) return;
  try {
    const CudaContext::Current current(*context_);
    kept_.clear();
  } catch (const std::exception& e) {
    log_warning("[cuda] graphs were not released: ", e.what());
  }
}

void CudaGraphs::begin() {
  gathering_ = true;
  place_ = 0;
}

void CudaGraphs::end() {
  gathering_ = false;
  flush();
}

void CudaGraphs::abandon() noexcept {
  gathering_ = false;
  record_.clear();
}

void CudaGraphs::flush() {
  if (record_.empty()) return;
  try {
    const CudaContext::Current current(*context_);
    run();
  } catch (...) {
    record_.clear();
    throw;
  }
  record_.clear();
}

void CudaGraphs::run() {
  const std::uint64_t key =
      record_.signature() ^ std::min(place_++, kMostPlaces) * 0x9e3779b97f4a7c15ull;
  const auto found = kept_.find(key);
  if (found == kept_.end() || !record_.has_structure_of(found->second.work)) return remember(key);
  Kept& kept = found->second;
  kept.used = ++uses_;
  try {
    if (!kept.executable)
      make(kept, capture());
    else
      change(kept);
    context_->check(context_->api().graph_launch(kept.executable->handle, stream_), "cuGraphLaunch",
                    "a captured step (or earlier work)");
  } catch (...) {
    kept_.erase(found);  // what its graph would do is unknown
    throw;
  }
  ++counts_.launched;
  std::swap(kept.work, record_);
}

/// Issues a sequence that was not seen before.
void CudaGraphs::remember(std::uint64_t key) {
  for (std::size_t i = 0; i < record_.size(); ++i) issue(record_[i]);
  ++counts_.issued;
  Kept kept;
  kept.used = ++uses_;
  std::swap(kept.work, record_);
  kept_.insert_or_assign(key, std::move(kept));
  if (kept_.size() <= kMostKept) return;
  kept_.erase(std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
    return a.second.used < b.second.used;
  }));
  ++counts_.evicted;
}

void CudaGraphs::issue(const Work& work) {
  const jit::CudaApi& cuda = context_->api();
  switch (work.kind) {
    case Work::kKernel:
      return jit::launch_cuda(*context_, *work.kernel, work.grid, record_.arguments(work),
                              {stream_});
    case Work::kCopy:
      return context_->check(cuda.copy_in(work.to, work.from, work.bytes, stream_),
                             "cuMemcpyHtoDAsync", "a copy to the device");
    case Work::kFill:
      return context_->check(cuda.set_bytes(work.to, 0, work.bytes, stream_), "cuMemsetD8Async",
                             str(work.bytes, " bytes"));
    case Work::kProduct:
      return multiply_(record_.product(work), stream_);
  }
}

/// Captures the recorded work. If that fails, the stream no longer captures.
std::unique_ptr<CudaGraphs::Graph> CudaGraphs::capture() {
  const jit::CudaApi& cuda = context_->api();
  // Thread-local capture: driver calls of other threads are neither captured nor forbidden.
  context_->check(cuda.capture_begin(stream_, jit::cu::kCaptureThreadLocal), "cuStreamBeginCapture",
                  "a training step");
  auto graph = std::make_unique<Graph>(*context_, nullptr);
  try {
    for (std::size_t i = 0; i < record_.size(); ++i) {
      issue(record_[i]);
      graph->nodes.push_back(record_[i].kind == Work::kProduct ? nullptr : last_node());
    }
  } catch (...) {
    static_cast<void>(cuda.capture_end(stream_, &graph->handle));  // the failure is thrown
    throw;
  }
  context_->check(cuda.capture_end(stream_, &graph->handle), "cuStreamEndCapture",
                  "a training step");
  return graph;
}

/// The node that the last piece of work added, nullptr if the driver does not name exactly one.
jit::CuGraphNode CudaGraphs::last_node() const {
  int status = 0;
  jit::CuGraph graph = nullptr;
  unsigned long long id = 0;
  const jit::CuGraphNode* last = nullptr;
  std::size_t count = 0;
  const jit::CuResult code =
      context_->api().capture_info(stream_, &status, &id, &graph, &last, &count);
  return code == 0 && count == 1 ? *last : nullptr;
}

void CudaGraphs::make(Kept& kept, std::unique_ptr<Graph> graph) {
  kept.executable.reset();
  kept.executable = std::make_unique<Executable>(*context_, graph->handle);
  kept.graph = std::move(graph);
  ++counts_.made;
}

/// Makes the executable graph do the recorded work.
void CudaGraphs::change(Kept& kept) {
  if (set_parameters(kept)) return;
  std::unique_ptr<Graph> graph = capture();
  jit::CuGraphUpdate result{};
  if (context_->api().graph_update(kept.executable->handle, graph->handle, &result) == 0)
    ++counts_.updated;  // its nodes are still named by those of kept.graph
  else
    make(kept, std::move(graph));
}

/// Gives the parameters that differ to the executable graph. Returns false, with any of them given,
/// if that is not possible.
bool CudaGraphs::set_parameters(const Kept& kept) {
  std::vector<std::size_t> different;
  for (std::size_t i = 0; i < record_.size(); ++i) {
    if (record_.has_parameters_of(kept.work, i)) continue;
    if (kept.graph->nodes[i] == nullptr) return false;
    different.push_back(i);
  }
  for (const std::size_t i : different) {
    if (set(kept, i) != 0) return false;
  }
  counts_.parameters += static_cast<long long>(different.size());
  return true;
}

jit::CuResult CudaGraphs::set(const Kept& kept, std::size_t i) const {
  const jit::CudaApi& cuda = context_->api();
  const Work& work = record_[i];
  const jit::CuGraphExec executable = kept.executable->handle;
  const jit::CuGraphNode node = kept.graph->nodes[i];
  if (work.kind == Work::kKernel) {
    void* parameters[] = {const_cast<void*>(record_.arguments(work))};  // the driver copies them
    const jit::CuKernelNode now{.function = work.kernel->function,
                                .grid_x = static_cast<unsigned>(work.grid.x),
                                .grid_y = static_cast<unsigned>(work.grid.y),
                                .grid_z = static_cast<unsigned>(work.grid.z),
                                .block_x = work.kernel->threads,
                                .block_y = 1,
                                .block_z = 1,
                                .shared_bytes = work.kernel->shared_bytes,
                                .parameters = parameters,
                                .extra = nullptr,
                                .kernel = nullptr,
                                .context = nullptr};
    return cuda.graph_set_kernel(executable, node, &now);
  }
  if (work.kind == Work::kFill) {
    const jit::CuFillNode now{.to = work.to,
                              .pitch = 0,
                              .value = 0,
                              .element_bytes = 1,
                              .width = work.bytes,
                              .height = 1};
    return cuda.graph_set_fill(executable, node, &now, context_->context());
  }
  jit::CuCopyNode now{};
  now.from.memory_type = jit::cu::kMemoryHost;
  now.from.host = const_cast<void*>(work.from);  // the driver only reads it
  now.to.memory_type = jit::cu::kMemoryDevice;
  now.to.device = work.to;
  now.from.pitch = now.to.pitch = now.width_bytes = work.bytes;
  now.from.height = now.to.height = now.height = now.depth = 1;
  return cuda.graph_set_copy(executable, node, &now, context_->context());
}

}  // namespace eflow::detail
