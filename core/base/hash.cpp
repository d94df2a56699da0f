#include "eflow/core/base/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>

namespace eflow {

std::uint64_t hash64(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

Hash128 hash128(std::span<const std::byte> bytes, std::uint64_t seed) {
  const XXH128_hash_t h = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return {h.high64, h.low64};
}

std::uint64_t hash64(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

std::string to_hex(std::uint64_t hash) {
  std::string out(16, '0');
  for (int i = 15; i >= 0; --i, hash >>= 4) {
    out[static_cast<std::size_t>(i)] = "0123456789abcdef"[hash & 15];
  }
  return out;
}

std::string to_hex(const Hash128& hash) {
  return to_hex(hash.high) + to_hex(hash.low);
}

std::optional<Hash128> hash128_from_hex(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  Hash128 out;
  const auto parse = [](std::string_view digits, std::uint64_t& value) {
    const auto [end, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return code == std::errc() && end == digits.data() + digits.size();
  };
  if (!parse(text.substr(0, 16), out.high) || !parse(text.substr(16), out.low)) return std::nullopt;
  return out;
}

}  // namespace eflow
