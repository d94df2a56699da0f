#include "eflow/core/cuda/uploads.hpp"

#include <algorithm>
#include <cstring>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::detail {
namespace {

/// The action, for error messages.
constexpr const char* kWhat = "an upload";

}  // namespace

using jit::CudaContext;

CudaUploads::CudaUploads(std::shared_ptr<const CudaContext> context, CudaMemory* memory)
    : context_(std::move(context)), memory_(memory) {}

CudaUploads::~CudaUploads() {
  if (!stream_ || context_->is_shut_down()) return;
  try {
    while (!blocks_.empty()) drop(blocks_.begin());
    memory_->forget(stream_->handle());
  } catch (const std::exception& e) {
    log_warning("[cuda] memory of uploads was not released: ", e.what());
  }
}

void* CudaUploads::begin(const void* from, std::size_t bytes) {
  const CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  if (!stream_) stream_.emplace(context_);
  Block& block = block_for(bytes);
  block.used.order_before(stream_->handle(), kWhat);
  std::memcpy(block.pinned, from, bytes);
  context_->check(context_->api().copy_in(reinterpret_cast<jit::CuAddress>(block.memory),
                                          block.pinned, bytes, stream_->handle()),
                  "cuMemcpyHtoDAsync", kWhat);
  block.copied.record(stream_->handle(), kWhat);
  block.state = Block::kHeld;
  return block.memory;
}

/// A free block whose last copy no longer reads its pinned memory: the first, so that steps that
/// repeat use the same blocks.
CudaUploads::Block& CudaUploads::block_for(std::size_t bytes) {
  auto being_read = blocks_.end();
  std::size_t reading = 0;
  for (auto block = blocks_.begin(); block != blocks_.end(); ++block) {
    if (block->state != Block::kFree || block->bytes != bytes) continue;
    if (block->copied.is_done(kWhat)) return *block;
    if (reading++ == 0) being_read = block;
  }
  if (reading < kMostFree) return make(bytes);
  being_read->copied.wait(kWhat);
  return *being_read;
}

CudaUploads::Block& CudaUploads::make(std::size_t bytes) {
  const auto is_free = [](const Block& block) { return block.state == Block::kFree; };
  const auto free = std::count_if(blocks_.begin(), blocks_.end(), is_free);
  if (static_cast<std::size_t>(free) >= kMostFree)
    drop(std::find_if(blocks_.begin(), blocks_.end(), is_free));
  Block& block = blocks_.emplace_back(context_, bytes);
  try {
    block.memory = memory_->allocate(bytes, stream_->handle());
    context_->check(context_->api().allocate_pinned(&block.pinned, bytes), "cuMemAllocHost", kWhat);
  } catch (...) {
    if (block.memory != nullptr) memory_->release(block.memory, bytes, stream_->handle());
    blocks_.pop_back();
    throw;
  }
  block.state = Block::kFree;  // until its copy is issued
  return block;
}

/// Releases a block's memory, in the order of this stream after its last use.
void CudaUploads::drop(std::list<Block>::iterator block) {
  const CudaContext::Current current(*context_);
  block->copied.wait(kWhat);
  static_cast<void>(context_->api().release_pinned(block->pinned));
  block->used.order_before(stream_->handle(), kWhat);
  memory_->release(block->memory, block->bytes, stream_->handle());
  blocks_.erase(block);
}

CudaUploads::Block* CudaUploads::find(const void* memory) {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(),
                                  [&](const Block& block) { return block.memory == memory; });
  return found != blocks_.end() ? &*found : nullptr;
}

void CudaUploads::order_before(jit::CuStream stream, const void* memory) {
  const std::lock_guard lock(mutex_);
  if (const Block* block = find(memory)) block->copied.order_before(stream, kWhat);
}

void CudaUploads::release(const void* memory) noexcept {
  const std::lock_guard lock(mutex_);
  if (Block* block = find(memory)) block->state = Block::kReleased;
}

void CudaUploads::mark_used(jit::CuStream stream) {
  const std::lock_guard lock(mutex_);
  for (Block& block : blocks_) {
    if (block.state != Block::kReleased) continue;
    block.used.record(stream, kWhat);
    block.state = Block::kFree;
  }
}

}  // namespace eflow::detail
