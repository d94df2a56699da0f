#pragma once
// Arrays from the bytes of whole files: members of archives, and small files. Internal to io.

#include <filesystem>
#include <span>
#include <string>

#include "eflow/io/items/item.hpp"

namespace eflow::io {

/// Parses a whole .npy file. Throws CorruptData, InvalidArgument; `where` names it.
[[nodiscard]] RawArray parse_npy(std::span<const std::byte> file, const std::string& where,
                                 bool two_bytes_are_bf16);
/// Reads a .npy file. Throws as parse_npy() does; IoError.
[[nodiscard]] RawArray read_npy(const std::filesystem::path& path, bool two_bytes_are_bf16);

/// Removes leading axes of size 1 until `rank` are left.
void drop_unit_axes(RawArray& array, int rank);
/// Makes token embeddings [tokens, width] of an array with leading axes of size 1, and drops rows of
/// zeros at the end, which are padding, but never the first row. Throws InvalidArgument.
[[nodiscard]] RawArray token_rows(RawArray array, const std::string& where);

/// A number from an array of one element, of any integer type: a label. Throws InvalidArgument.
[[nodiscard]] std::int64_t parse_npy_label(std::span<const std::byte> file,
                                           const std::string& where);

}  // namespace eflow::io
