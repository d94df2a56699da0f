#pragma once
// Content hashes: XXH3 in 64 and 128 bits. Not cryptographic; they find damage and tell contents apart.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace eflow {

struct Hash128 {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

[[nodiscard]] std::uint64_t hash64(std::span<const std::byte> bytes);
[[nodiscard]] Hash128 hash128(std::span<const std::byte> bytes, std::uint64_t seed = 0);
[[nodiscard]] std::uint64_t hash64(std::string_view text);
/// 32 lower-case hexadecimal digits, high word first.
[[nodiscard]] std::string to_hex(const Hash128& hash);
[[nodiscard]] std::string to_hex(std::uint64_t hash);
[[nodiscard]] std::optional<Hash128> hash128_from_hex(std::string_view text);

}  // namespace eflow
