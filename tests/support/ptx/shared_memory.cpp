#include "eflow/tests/support/ptx/shared_memory.hpp"

#include <bit>
#include <cstring>

namespace eflow::ptx {

SharedMemory::SharedMemory(std::size_t bytes) : bytes_(bytes, 0xff), state_(bytes) {}

std::string SharedMemory::outside(u64 offset, std::size_t bytes) const {
  if (offset <= bytes_.size() && bytes <= bytes_.size() - offset) return "";
  return "bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes) +
         " are outside the block's " + std::to_string(bytes_.size()) + " bytes of shared memory";
}

std::string SharedMemory::load(const Access& by, u64 offset, void* to, std::size_t bytes,
                               Proxy proxy) {
  if (std::string fault = outside(offset, bytes); !fault.empty()) return fault;
  for (std::size_t i = offset; i < offset + bytes; ++i) {
    Byte& b = state_[i];
    if (b.in_flight)
      return "reads byte " + std::to_string(i) +
             " of shared memory, whose asynchronous copy (line " + std::to_string(b.write_line) +
             ") has not been waited for";
    if (b.written == 0)
      return "reads byte " + std::to_string(i) + " of shared memory, which was never written";
    if (b.written == by.epoch && b.writer != by.warp && b.writer != kBulk)
      return "race: reads byte " + std::to_string(i) + " of shared memory, which warp " +
             std::to_string(b.writer) + " wrote (line " + std::to_string(b.write_line) +
             ") with no barrier in between";
    if (proxy == Proxy::kAsync && b.writer != kBulk &&
        b.time > fenced_[static_cast<std::size_t>(b.writer)])
      return "an asynchronous product reads byte " + std::to_string(i) +
             " of shared memory, which warp " + std::to_string(b.writer) + " wrote (line " +
             std::to_string(b.write_line) + ") with no fence.proxy.async after it";
    if (b.read != by.epoch) b.readers = 0;
    b.read = by.epoch;
    b.read_line = by.line;
    b.readers |= 1u << by.warp;
  }
  std::memcpy(to, &bytes_[offset], bytes);
  return "";
}

std::string SharedMemory::claim(const Access& by, u64 offset, std::size_t bytes, bool in_flight) {
  if (std::string fault = outside(offset, bytes); !fault.empty()) return fault;
  ++clock_;
  for (std::size_t i = offset; i < offset + bytes; ++i) {
    Byte& b = state_[i];
    if (b.in_flight)
      return "overwrites byte " + std::to_string(i) +
             " of shared memory, whose asynchronous copy (line " + std::to_string(b.write_line) +
             ") has not been waited for";
    const bool written = b.written == by.epoch && b.writer != by.warp && b.writer != kBulk;
    const u32 others = b.readers & ~(1u << by.warp);
    const bool read = b.read == by.epoch && others != 0;
    if (written || read)
      return "race: writes byte " + std::to_string(i) + " of shared memory, which warp " +
             std::to_string(written ? b.writer : std::countr_zero(others)) +
             (written ? " wrote" : " read") + " (line " +
             std::to_string(written ? b.write_line : b.read_line) + ") with no barrier in between";
    b.written = by.epoch;
    b.writer = by.warp;
    b.write_line = by.line;
    b.in_flight = in_flight;
    b.time = clock_;
  }
  return "";
}

std::string SharedMemory::store(const Access& by, u64 offset, const void* from, std::size_t bytes) {
  std::string fault = claim(by, offset, bytes, false);
  if (fault.empty()) std::memcpy(&bytes_[offset], from, bytes);
  return fault;
}

std::string SharedMemory::begin_copy(const Access& by, u64 offset, std::size_t bytes) {
  return claim(by, offset, bytes, true);
}

void SharedMemory::land(const Access& by, u64 offset, const void* from, std::size_t bytes) {
  ++clock_;
  for (std::size_t i = offset; i < offset + bytes; ++i) {
    state_[i].in_flight = false;
    state_[i].written = by.epoch;
    state_[i].writer = by.warp;
    state_[i].time = clock_;
  }
  std::memcpy(&bytes_[offset], from, bytes);
}

void SharedMemory::land_bulk(u64 offset, const void* from, std::size_t bytes) {
  for (std::size_t i = offset; i < offset + bytes; ++i) {
    state_[i].in_flight = false;
    state_[i].writer = kBulk;
    state_[i].time = 0;
  }
  std::memcpy(&bytes_[offset], from, bytes);
}

}  // namespace eflow::ptx
