#include "eflow/core/tensor/caching_allocator.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"

namespace eflow {

CachingAllocator::CachingAllocator(std::function<void*(std::size_t)> take,
                                   std::function<void(void*)> give,
                                   std::function<std::string()> plan, Order order)
    : take_(std::move(take)), give_(std::move(give)), plan_(std::move(plan)), order_(order) {}

CachingAllocator::~CachingAllocator() {
  trim_locked();
}

std::size_t CachingAllocator::size_class(std::size_t bytes) {
  constexpr std::size_t kSmallest = 256;
  if (bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes - 1) / 8);
  return (bytes + step - 1) / step * step;
}

void* CachingAllocator::allocate(std::size_t bytes) {
  const std::size_t size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  void* memory = nullptr;
  if (const auto found = free_.find(size); found != free_.end() && !found->second.empty()) {
    if (order_ == Order::kLowestAddress)
      std::pop_heap(found->second.begin(), found->second.end(), std::greater<>());
    memory = found->second.back();
    found->second.pop_back();
  } else {
    memory = take_(size);
    if (memory == nullptr) {
      trim_locked();
      memory = take_(size);
    }
    if (memory == nullptr) {
      throw DeviceError(str("[memory] cannot allocate ", size >> 20, " MiB; tensors hold ",
                            stats_.in_use >> 20, " MiB (peak ", stats_.peak_in_use >> 20, " MiB)",
                            plan_ ? plan_() : std::string()));
    }
    stats_.reserved += size;
  }
  stats_.in_use += size;
  stats_.peak_in_use = std::max(stats_.peak_in_use, stats_.in_use);
  return memory;
}

void CachingAllocator::release(void* memory, std::size_t bytes) noexcept {
  const std::size_t size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  stats_.in_use -= size;
  try {
    std::vector<void*>& list = free_[size];
    list.push_back(memory);
    if (order_ == Order::kLowestAddress) std::push_heap(list.begin(), list.end(), std::greater<>());
  } catch (...) {  // the list itself could not grow
    give_(memory);
    stats_.reserved -= size;
  }
}

MemoryStats CachingAllocator::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_in_use = stats_.in_use;
}

void CachingAllocator::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void CachingAllocator::trim_locked() noexcept {
  for (auto& [size, list] : free_) {
    for (void* memory : list) {
      give_(memory);
      stats_.reserved -= size;
    }
    list.clear();
  }
}

}  // namespace eflow
