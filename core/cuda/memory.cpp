#include "eflow/core/cuda/memory.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"

namespace eflow::detail {

using jit::CuAddress;
using jit::CudaContext;

CudaMemory::CudaMemory(std::shared_ptr<const CudaContext> context, const MemoryPlan& plan,
                       std::function<void(jit::CuStream)> before_free)
    : context_(std::move(context)), plan_(plan), before_free_(std::move(before_free)) {
  // Keeps up to 256 MiB in the driver's pool: by default it returns free memory to the system at
  // every wait.
  const CudaContext::Current current(*context_);
  const jit::CudaApi& cuda = context_->api();
  jit::CuPool pool = nullptr;
  std::uint64_t keep = std::uint64_t{256} << 20;
  context_->check(cuda.device_pool(&pool, context_->handle()), "cuDeviceGetDefaultMemPool",
                  "the device");
  context_->check(cuda.pool_set_attribute(pool, jit::cu::kPoolReleaseThreshold, &keep),
                  "cuMemPoolSetAttribute", "the device");
}

void* CudaMemory::allocate(std::size_t bytes, jit::CuStream stream) {
  return allocator_of(stream).allocate(bytes);
}

void CudaMemory::release(void* memory, std::size_t bytes, jit::CuStream stream) noexcept {
  try {
    allocator_of(stream).release(memory, bytes);
  } catch (...) {
    // No allocator could be created: the memory stays allocated until the context is destroyed.
  }
}

MemoryStats CudaMemory::stats() const {
  MemoryStats all;
  const std::lock_guard lock(mutex_);
  for (const auto& [stream, allocator] : allocators_) {
    const MemoryStats one = allocator->stats();
    all.in_use += one.in_use;
    all.peak_in_use += one.peak_in_use;
    all.reserved += one.reserved;
  }
  return all;
}

void CudaMemory::reset_peak() {
  const std::lock_guard lock(mutex_);
  for (const auto& [stream, allocator] : allocators_) allocator->reset_peak();
}

void CudaMemory::trim() {
  const std::lock_guard lock(mutex_);
  for (const auto& [stream, allocator] : allocators_) allocator->trim();
}

void CudaMemory::forget(jit::CuStream stream) {
  const std::lock_guard lock(mutex_);
  allocators_.erase(stream);  // which trims it
}

CachingAllocator& CudaMemory::allocator_of(jit::CuStream stream) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<CachingAllocator>& found = allocators_[stream];
  if (!found) {
    found = std::make_unique<CachingAllocator>(
        [this, stream](std::size_t bytes) { return take(bytes, stream); },
        [this, stream](void* memory) { give(memory, stream); }, [this] { return report(); },
        CachingAllocator::Order::kLowestAddress);
  }
  return *found;
}

/// Returns nullptr if the device is out of memory. Throws DeviceError for other failures.
void* CudaMemory::take(std::size_t bytes, jit::CuStream stream) const {
  const CudaContext::Current current(*context_);
  CuAddress address = 0;
  const jit::CuResult code = context_->api().allocate(&address, bytes, stream);
  if (code == jit::cu::kOutOfMemory) return nullptr;
  context_->check(code, "cuMemAllocAsync", str(bytes, " bytes"));
  return reinterpret_cast<void*>(address);
}

void CudaMemory::give(void* memory, jit::CuStream stream) const noexcept {
  try {
    before_free_(stream);
    const CudaContext::Current current(*context_);
    static_cast<void>(context_->api().release(reinterpret_cast<CuAddress>(memory), stream));
  } catch (...) {  // the context was destroyed, and its memory with it
  }
}

std::string CudaMemory::report() const {
  const CudaContext::Current current(*context_);
  std::size_t free = 0, total = 0;
  std::string left;
  if (context_->api().memory_info(&free, &total) == 0)
    left = str(" has ", free >> 20, " of ", total >> 20, " MiB free");
  return str("; ", context_->name(), left, ": ", plan_.text());
}

}  // namespace eflow::detail
