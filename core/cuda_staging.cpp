#include "eflow/core/cuda_staging.hpp"

#include <algorithm>
#include <cstring>

namespace eflow::detail {
namespace {

/// The action, for error messages.
constexpr const char* kWhat = "a copy to the device";

}  // namespace

using jit::CudaContext;

CudaStaging::CudaStaging(std::shared_ptr<const CudaContext> context)
    : context_(std::move(context)) {}

CudaStaging::~CudaStaging() {
  for (Segment& segment : segments_) {
    try {
      if (segment.memory == nullptr) continue;
      if (&segment == &segments_[current_]) segment.copied->record(stream_, kWhat);
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

CudaStaging::Segment& CudaStaging::segment_for(jit::CuStream stream) {
  Segment& now = segments_[current_];
  if (now.memory == nullptr) prepare(now);
  if (now.filled == 0) stream_ = stream;
  if (stream == stream_ && now.filled < kSegmentBytes) return now;
  now.copied->record(stream_, kWhat);
  current_ = (current_ + 1) % kSegments;
  prepare(segments_[current_]);
  stream_ = stream;
  return segments_[current_];
}

bool CudaStaging::fits(std::size_t bytes, jit::CuStream stream) {
  const std::lock_guard lock(mutex_);
  const Segment& now = segments_[current_];
  return now.memory != nullptr && (now.filled == 0 || stream == stream_) &&
         bytes <= kSegmentBytes - now.filled;
}

void CudaStaging::copy(jit::CuAddress to, const void* from, std::size_t bytes,
                       jit::CuStream stream) {
  constexpr std::size_t kAlignment = 16;
  const CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  for (std::size_t at = 0; at < bytes;) {
    Segment& segment = segment_for(stream);
    const std::size_t part = std::min(kSegmentBytes - segment.filled, bytes - at);
    std::byte* const staged = segment.memory + segment.filled;
    std::memcpy(staged, static_cast<const std::byte*>(from) + at, part);
    segment.filled += (part + kAlignment - 1) / kAlignment * kAlignment;
    context_->check(context_->api().copy_in(to + at, staged, part, stream), "cuMemcpyHtoDAsync",
                    kWhat);
    at += part;
  }
}

}  // namespace eflow::detail
