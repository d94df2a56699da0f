#pragma once
// Content hashes: XXH3 with 64 and 128 bits, for detecting damage and identifying content. Not
// cryptographic.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// A 128-bit hash value, ordered by high, then low.
struct Hash128 {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

/// XXH3-64 of the bytes, seed 0.
[[nodiscard]] std::uint64_t hash64(std::span<const std::byte> bytes);
/// XXH3-128 of the bytes.
[[nodiscard]] Hash128 hash128(std::span<const std::byte> bytes, std::uint64_t seed = 0);
[[nodiscard]] std::uint64_t hash64(std::string_view text);
/// Formats as 32 lower-case hexadecimal digits, high word first.
[[nodiscard]] std::string to_hex(const Hash128& hash);
/// Formats as 16 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(std::uint64_t hash);
/// Parses 32 hexadecimal digits; nullopt if `text` is anything else.
[[nodiscard]] std::optional<Hash128> hash128_from_hex(std::string_view text);

}  // namespace eflow

EFLOW_EXPORT_END
