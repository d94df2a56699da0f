#include "eflow/core/cuda/staging.hpp"

#include <algorithm>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::detail {
namespace {

/// The action, for error messages.
constexpr const char* kWhat = "a copy to the device";

}  // namespace

using jit::CudaContext;

CudaStaging::CudaStaging(std::shared_ptr<const CudaContext> context)
    : context_(std::move(context)) {}

CudaStaging::~CudaStaging() {
  if (context_->is_shut_down()) return;
  for (Segment& segment : segments_) {
    try {
      if (segment.memory == nullptr) continue;
      if (&segment == &segments_[current_] && segment.filled > 0)
        segment.copied->record(segment.stream, kWhat);
      segment.copied->wait(kWhat);  // a copy may still be reading
      const CudaContext::Current current(*context_);
      static_cast<void>(context_->api().release_pinned(segment.memory));
    } catch (...) {  // the context was destroyed, and its memory with it
    }
  }
}

void CudaStaging::prepare(Segment& segment) {
  if (!segment.copied) segment.copied.emplace(context_);
  segment.copied->wait(kWhat);
  segment.filled = 0;
  if (segment.memory != nullptr) return;
  void* memory = nullptr;
  context_->check(context_->api().allocate_pinned(&memory, kSegmentBytes), "cuMemAllocHost",
                  "staging");
  segment.memory = static_cast<std::byte*>(memory);
}

std::size_t CudaStaging::room(jit::CuStream stream) {
  const std::lock_guard lock(mutex_);
  const Segment& now = segments_[current_];
  const bool usable = now.memory != nullptr && (now.filled == 0 || stream == now.stream);
  return usable ? kSegmentBytes - now.filled : 0;
}

void CudaStaging::make_room() {
  const CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  Segment& now = segments_[current_];
  if (now.filled > 0) {
    now.copied->record(now.stream, kWhat);
    current_ = (current_ + 1) % kSegments;
  }
  prepare(segments_[current_]);
}

const void* CudaStaging::stage(const void* from, std::size_t bytes, jit::CuStream stream) {
  constexpr std::size_t kAlignment = 16;
  const std::lock_guard lock(mutex_);
  Segment& segment = segments_[current_];
  EFLOW_ASSERT(segment.memory != nullptr && segment.filled + bytes <= kSegmentBytes);
  segment.stream = stream;
  std::byte* const staged = segment.memory + segment.filled;
  std::memcpy(staged, from, bytes);
  segment.filled +=
      std::min(kSegmentBytes - segment.filled, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  ++staged_;
  return staged;
}

std::uint64_t CudaStaging::staged() {
  const std::lock_guard lock(mutex_);
  return staged_;
}

void CudaStaging::release(jit::CuStream stream, std::uint64_t mark) {
  const std::lock_guard lock(mutex_);
  if (staged_ != mark) return;
  for (const Segment& segment : segments_) {
    if (segment.filled > 0 && segment.stream != stream) return;
  }
  for (Segment& segment : segments_) segment.filled = 0;
  if (segments_[0].memory != nullptr) current_ = 0;
}

}  // namespace eflow::detail
