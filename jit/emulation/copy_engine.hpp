#pragma once
// Emulated copy engine (TMA): barriers in shared memory that count arrivals and expected bytes, and
// tensor-map copies, executed either immediately or when a thread waits for them.
// machine.cpp decides which threads run in the meantime.

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "eflow/jit/emulation/tensor_map_fields.hpp"

namespace eflow::emulated {

/// Every call returns an error description, or "".
class CopyEngine {
 public:
  std::string open(const void* barrier) {
    return barriers_.try_emplace(barrier).second ? "" : "barrier initialised twice";
  }
  std::string close(const void* barrier) {
    const auto at = barriers_.find(barrier);
    if (at == barriers_.end()) return "invalidates a barrier that is not initialised";
    const bool busy = !at->second.copies.empty() || at->second.expected != 0;
    barriers_.erase(at);
    return busy ? "invalidates a barrier with copies in flight" : "";
  }
  std::string arrive(const void* barrier) {
    Barrier* const b = find(barrier);
    if (b == nullptr) return "arrives at a barrier that is not initialised";
    if (b->arrived) return "second arrival in a phase that expects one";
    b->arrived = true;
    complete(*b);
    return "";
  }
  /// Announces the bytes and starts the copy.
  std::string copy(char* to, int bytes, const void* map, const int* at, const void* barrier,
                   bool late) {
    Barrier* const b = find(barrier);
    if (b == nullptr) return "copy with a barrier that is not initialised";
    if (b->arrived) return "copy in a phase that already has its arrival";
    Copy copy{to, {}, {}};
    std::memcpy(&copy.map, map, sizeof copy.map);
    std::memcpy(copy.at, at, sizeof copy.at);
    long long box = copy.map.element_bytes;
    for (const int n : copy.map.box) box *= n;
    if (box != bytes)
      return "box of " + std::to_string(box) + " bytes, but the tile has " + std::to_string(bytes);
    b->expected += bytes;
    b->copies.push_back(copy);
    if (!late) run(barrier);
    return "";
  }
  /// Executes the copies of the barrier's phase; returns whether there were any.
  bool run(const void* barrier) {
    Barrier& b = *find(barrier);
    const std::vector<Copy> copies = std::move(b.copies);
    b.copies.clear();
    for (const Copy& c : copies) b.expected -= perform(c);
    complete(b);
    return !copies.empty();
  }
  [[nodiscard]] bool is_open(const void* barrier) { return find(barrier) != nullptr; }
  [[nodiscard]] bool has_passed(const void* barrier, unsigned parity) {
    return find(barrier)->parity != parity;
  }
  [[nodiscard]] bool idle() const { return barriers_.empty(); }
  void reset() { barriers_.clear(); }

 private:
  struct Copy {
    char* to;
    TensorMapFields map;
    int at[5];
  };
  struct Barrier {
    unsigned parity = 0;
    bool arrived = false;
    long long expected = 0;  ///< bytes not yet copied
    std::vector<Copy> copies;
  };

  Barrier* find(const void* barrier) {
    const auto at = barriers_.find(barrier);
    return at == barriers_.end() ? nullptr : &at->second;
  }
  static void complete(Barrier& b) {
    if (!b.arrived || b.expected != 0) return;
    b.parity ^= 1;
    b.arrived = false;
  }
  /// Copies element by element, first dimension fastest; returns the number of bytes written.
  static long long perform(const Copy& c) {
    const TensorMapFields& m = c.map;
    char* to = c.to;
    int i[5] = {};
    for (bool more = true; more;) {
      std::uint64_t from = m.address;
      bool inside = true;
      for (int d = 0; d < 5; ++d) {
        const long long x = c.at[d] + i[d];
        inside = inside && x >= 0 && x < static_cast<long long>(m.sizes[d]);
        from += static_cast<std::uint64_t>(x) * (d == 0 ? m.element_bytes : m.strides[d - 1]);
      }
      if (inside)
        std::memcpy(to, reinterpret_cast<const void*>(from), m.element_bytes);
      else
        std::memset(to, 0, m.element_bytes);
      to += m.element_bytes;
      more = false;
      for (int d = 0; d < 5 && !more; ++d) {
        more = ++i[d] < m.box[d];
        if (!more) i[d] = 0;
      }
    }
    return to - c.to;
  }

  std::map<const void*, Barrier> barriers_;
};

}  // namespace eflow::emulated
