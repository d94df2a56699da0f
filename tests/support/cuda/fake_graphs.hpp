#pragma once
// Stream capture and graphs of a fake driver. They refuse what the CUDA Driver API reference says a
// driver refuses ("Stream Management", "Graph Management"), return the error that it names, and
// keep the rule.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "eflow/jit/cuda/api.hpp"

namespace eflow::test {

/// Threads: all members may be called concurrently.
class FakeGraphs {
 public:
  enum Kind { kKernel, kCopy, kFill };
  /// What a node does when a graph that has it is launched.
  using Run = std::function<void()>;

  std::string rule;  ///< that the last refused call broke
  int graphs = 0, executables = 0;
  long long launched = 0;
  std::set<jit::CuFunction> foreign;  ///< functions of another context than the device's

  [[nodiscard]] bool is_capturing(jit::CuStream stream) {
    const std::lock_guard lock(mutex_);
    return capturing_.contains(stream);
  }
  /// Whether the calling thread captures any stream.
  [[nodiscard]] bool thread_captures() {
    const std::lock_guard lock(mutex_);
    for (const auto& [stream, graph] : capturing_) {
      if (graph->thread == std::this_thread::get_id()) return true;
    }
    return false;
  }

  /// Adds a node if the stream is captured; otherwise returns false.
  [[nodiscard]] bool capture(jit::CuStream stream, Kind kind, jit::CuFunction function, Run run) {
    const std::lock_guard lock(mutex_);
    const auto found = capturing_.find(stream);
    if (found == capturing_.end()) return false;
    found->second->nodes.push_back(std::make_unique<Node>(Node{kind, function, std::move(run)}));
    return true;
  }

  int begin(jit::CuStream stream) {
    const std::lock_guard lock(mutex_);
    if (stream == nullptr)
      return refuse(kCaptureUnsupported, "the legacy default stream cannot be captured");
    if (capturing_.contains(stream))
      return refuse(kIllegalState, "the stream is being captured already");
    capturing_.emplace(stream, std::make_unique<Graph>());
    return 0;
  }
  int end(jit::CuStream stream, jit::CuGraph* out) {
    const std::lock_guard lock(mutex_);
    const auto found = capturing_.find(stream);
    if (found == capturing_.end()) return refuse(kIllegalState, "the stream is not being captured");
    *out = reinterpret_cast<jit::CuGraph>(found->second.get());
    alive_.emplace(*out, std::move(found->second));
    capturing_.erase(found);
    ++graphs;
    return 0;
  }
  int info(jit::CuStream stream, int* status, const jit::CuGraphNode** last, std::size_t* count) {
    const std::lock_guard lock(mutex_);
    const auto found = capturing_.find(stream);
    *status = found != capturing_.end() ? 1 : 0;
    *count = 0;
    if (found == capturing_.end() || found->second->nodes.empty()) return 0;
    last_ = reinterpret_cast<jit::CuGraphNode>(found->second->nodes.back().get());
    *last = &last_;
    *count = 1;
    return 0;
  }
  int destroy(jit::CuGraph graph) {
    const std::lock_guard lock(mutex_);
    if (alive_.erase(graph) == 0) return refuse(kInvalidValue, "the graph was destroyed before");
    return --graphs, 0;
  }

  int instantiate(jit::CuGraphExec* out, jit::CuGraph graph) {
    const std::lock_guard lock(mutex_);
    const auto found = alive_.find(graph);
    if (found == alive_.end()) return refuse(kInvalidValue, "the graph was destroyed");
    auto executable = std::make_unique<Executable>();
    executable->from = graph;
    for (const auto& node : found->second->nodes) executable->nodes.push_back(*node);
    *out = reinterpret_cast<jit::CuGraphExec>(executable.get());
    executables_.emplace(*out, std::move(executable));
    ++executables;
    return 0;
  }
  int update(jit::CuGraphExec handle, jit::CuGraph graph) {
    const std::lock_guard lock(mutex_);
    const auto found = alive_.find(graph);
    if (found == alive_.end()) return refuse(kInvalidValue, "the graph was destroyed");
    Executable& executable = *executables_.at(handle);
    const auto& nodes = found->second->nodes;
    if (nodes.size() != executable.nodes.size())
      return refuse(kUpdateFailure, "the number of nodes differs");
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i]->kind != executable.nodes[i].kind)
        return refuse(kUpdateFailure, "the kind of a node differs");
      if (foreign.contains(nodes[i]->function) != foreign.contains(executable.nodes[i].function))
        return refuse(kUpdateFailure, "the owning context of a function cannot change");
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) executable.nodes[i] = *nodes[i];
    return 0;
  }
  int destroy(jit::CuGraphExec executable) {
    const std::lock_guard lock(mutex_);
    if (executables_.erase(executable) == 0)
      return refuse(kInvalidValue, "the executable graph was destroyed before");
    return --executables, 0;
  }

  /// What a launch of the executable graph would run now. A stream that is captured is refused,
  /// though a driver would make a child node of it: no code here means to do that.
  int launch(jit::CuGraphExec handle, jit::CuStream stream, std::vector<Run>* work) {
    const std::lock_guard lock(mutex_);
    if (capturing_.contains(stream))
      return refuse(kCaptureUnsupported, "a graph is launched into a stream that is captured");
    const auto found = executables_.find(handle);
    if (found == executables_.end())
      return refuse(kInvalidValue, "the executable graph was destroyed");
    for (const Node& node : found->second->nodes) work->push_back(node.run);
    ++launched;
    return 0;
  }

  int set_kernel(jit::CuGraphExec executable, jit::CuGraphNode node, const jit::CuKernelNode* now,
                 Run run) {
    return set(executable, node, kKernel, std::move(run), [&](Node& found) -> const char* {
      if (foreign.contains(now->function) != foreign.contains(found.function))
        return "the owning context of a function cannot change";
      found.function = now->function;
      return nullptr;
    });
  }
  int set_copy(jit::CuGraphExec executable, jit::CuGraphNode node, const jit::CuCopyNode* now,
               Run run) {
    return set(executable, node, kCopy, std::move(run), [&](Node&) -> const char* {
      if (now->from.memory_type != jit::cu::kMemoryHost ||
          now->to.memory_type != jit::cu::kMemoryDevice)
        return "the memory types of a copy cannot change";
      if (now->height != 1 || now->depth != 1) return "copies of several dimensions cannot be set";
      return now->width_bytes == 0 ? "copies of nothing are not supported" : nullptr;
    });
  }
  int set_fill(jit::CuGraphExec executable, jit::CuGraphNode node, const jit::CuFillNode* now,
               Run run) {
    return set(executable, node, kFill, std::move(run), [&](Node&) -> const char* {
      if (now->height != 1) return "the height of a fill cannot change";
      if (now->element_bytes != 1) return "the size of a fill's elements cannot change";
      return now->width == 0 ? "fills of nothing are not supported" : nullptr;
    });
  }

 private:
  static constexpr int kInvalidValue = 1, kCaptureUnsupported = 900, kIllegalState = 401,
                       kUpdateFailure = 910;
  struct Node {
    Kind kind;
    jit::CuFunction function;
    Run run;
  };
  struct Graph {
    std::vector<std::unique_ptr<Node>> nodes;
    std::thread::id thread = std::this_thread::get_id();  ///< that captured it
  };
  struct Executable {
    jit::CuGraph from;
    std::vector<Node> nodes;
  };

  int refuse(int code, const char* why) {
    rule = why;
    return code;
  }
  /// Sets what a node does. `apply` changes the node, or returns the rule that forbids it.
  template <class Apply>
  int set(jit::CuGraphExec executable, jit::CuGraphNode handle, Kind kind, Run run,
          const Apply& apply) {
    const std::lock_guard lock(mutex_);
    Node* const node = node_of(executable, handle, kind);
    if (node == nullptr) return kInvalidValue;
    if (const char* const broken = apply(*node)) return refuse(kInvalidValue, broken);
    node->run = std::move(run);
    return 0;
  }
  /// The executable graph's node that `handle` names; nullptr, with a rule, if it names none.
  Node* node_of(jit::CuGraphExec executable, jit::CuGraphNode handle, Kind kind) {
    const auto found = executables_.find(executable);
    if (found == executables_.end())
      return static_cast<void>(refuse(0, "the executable graph was destroyed")), nullptr;
    const auto graph = alive_.find(found->second->from);
    if (graph == alive_.end())
      return static_cast<void>(refuse(0, "the graph that names the nodes was destroyed")), nullptr;
    const auto& nodes = graph->second->nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (reinterpret_cast<jit::CuGraphNode>(nodes[i].get()) != handle) continue;
      Node& node = found->second->nodes[i];
      if (node.kind != kind)
        return static_cast<void>(refuse(0, "the kind of a node cannot change")), nullptr;
      return &node;
    }
    refuse(0, "the node is of another graph than the executable one was instantiated from");
    return nullptr;
  }

  std::recursive_mutex mutex_;
  std::map<jit::CuStream, std::unique_ptr<Graph>> capturing_;
  std::map<jit::CuGraph, std::unique_ptr<Graph>> alive_;
  std::map<jit::CuGraphExec, std::unique_ptr<Executable>> executables_;
  jit::CuGraphNode last_ = nullptr;
};

}  // namespace eflow::test
