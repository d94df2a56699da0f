#pragma once
// Canonical bytes: little-endian integers and length-prefixed strings. The encoding is injective
// and independent of machine, locale and run.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace eflow::jit {

/// Appends values to a canonical encoding.
class ByteWriter {
 public:
  ByteWriter& u64(std::uint64_t value) {
    for (int i = 0; i < 8; ++i, value >>= 8) bytes_ += static_cast<char>(value & 0xff);
    return *this;
  }
  ByteWriter& string(std::string_view text) {
    u64(text.size());
    bytes_ += text;
    return *this;
  }
  ByteWriter& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  [[nodiscard]] std::span<const std::byte> view() const { return std::as_bytes(std::span(bytes_)); }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads a ByteWriter's encoding with bounds checks. After a read past the end, ok() is false and
/// every value is empty.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t u64() {
    const std::string_view s = raw(8);
    std::uint64_t value = 0;
    for (std::size_t i = s.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(s[i]);
    return value;
  }
  [[nodiscard]] std::string_view string() { return raw(u64()); }
  [[nodiscard]] std::string_view raw(std::uint64_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  void skip(std::uint64_t size) { static_cast<void>(raw(size)); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace eflow::jit
