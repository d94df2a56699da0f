#include "eflow/core/tensor/op_watch.hpp"

#include <utility>

#include "eflow/core/base/error.hpp"

namespace eflow {
namespace {

thread_local OpWatch* g_watch = nullptr;
thread_local int g_backward = 0;  // depth, because a vjp may run a backward pass of its own

}  // namespace

OpWatch::OpWatch(std::function<void(const OpEvent&)> see) : see_(std::move(see)) {
  if (g_watch != nullptr) throw InvalidArgument("[op watch] this thread has one already");
  g_watch = this;
}

OpWatch::~OpWatch() {
  g_watch = nullptr;
}

bool OpWatch::is_set() {
  return g_watch != nullptr;
}

OpWatch::Backward::Backward() {
  ++g_backward;
}

OpWatch::Backward::~Backward() {
  --g_backward;
}

void OpWatch::report(OpEvent event) {
  event.backward = g_backward > 0;
  OpWatch* const watch = std::exchange(g_watch, nullptr);
  struct Restore {
    OpWatch* watch;
    ~Restore() { g_watch = watch; }
  } const restore{watch};
  watch->see_(event);
}

}  // namespace eflow
