#pragma once
// state.h5: the HDF5 structure comes from the library, the arrays' bytes are written by us into the
// places it reserved, so that a full disk is an errno of ours and not a surprise at H5Fclose.
// Internal to io.

#include <filesystem>
#include <span>
#include <vector>

#include "eflow/io/checkpoint.hpp"

namespace eflow::io {

/// Writes and syncs `path`; returns the offset of each array (0 for one without elements). Throws
/// IoError, NoSpaceError.
[[nodiscard]] std::vector<std::uint64_t> write_state_file(const std::filesystem::path& path,
                                                          std::span<const NamedBytes> arrays);

}  // namespace eflow::io
