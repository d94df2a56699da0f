#pragma once
// Memory that the host cannot touch except through a gate, as a GPU's memory.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace eflow::test {

class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) : bytes_(bytes) {
    void* const p =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) std::abort();
    base_ = static_cast<char*>(p);
  }
  ~DeviceMemory() { munmap(base_, bytes_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /// Returns nullptr if full. A freed block serves only requests of exactly its size.
  void* allocate(std::size_t bytes) {
    std::vector<char*>& free = free_[bytes];
    if (free.empty()) {
      if (next_ + bytes > bytes_) return nullptr;
      free.push_back(base_ + next_);
      next_ += (bytes + 255) / 256 * 256;
    }
    char* const p = free.back();
    free.pop_back();
    held_[p] = bytes;
    return p;
  }
  void release(void* p) {
    const auto at = held_.find(static_cast<char*>(p));
    free_[at->second].push_back(at->first);
    held_.erase(at);
  }

  /// The block that contains the address and its bytes; {nullptr, 0} if none does.
  [[nodiscard]] std::pair<const char*, std::size_t> find(const void* address) const {
    const char* const p = static_cast<const char*>(address);
    const auto after = held_.upper_bound(const_cast<char*>(p));
    if (after == held_.begin()) return {nullptr, 0};
    const auto& [begin, bytes] = *std::prev(after);
    if (p >= begin + bytes) return {nullptr, 0};
    return {begin, bytes};
  }

  /// While one of these exists, the driver and its kernels may access the memory.
  class Open {
   public:
    explicit Open(DeviceMemory& memory) : memory_(memory) { set(PROT_READ | PROT_WRITE); }
    ~Open() { set(PROT_NONE); }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

   private:
    void set(int protection) {
      if (mprotect(memory_.base_, memory_.bytes_, protection) != 0) std::abort();
    }
    DeviceMemory& memory_;
  };

 private:
  std::size_t bytes_, next_ = 0;
  char* base_;
  std::map<std::size_t, std::vector<char*>> free_;
  std::map<char*, std::size_t> held_;
};

}  // namespace eflow::test
