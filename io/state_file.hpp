#pragma once
// state.h5: HDF5 lays the file out in memory, and every byte that reaches the disk is written by us. A disk that fills up is
// then an errno of ours; inside HDF5 it would leave a file that can neither be finished nor closed. Internal to io.

#include <filesystem>
#include <span>
#include <vector>

#include "eflow/io/checkpoint.hpp"

namespace eflow::io {

struct StateLayout {
  std::vector<std::uint64_t> offsets;  ///< of each array; 0 for one without elements
  std::uint64_t bytes = 0;             ///< of the file
  std::uint64_t structure_hash = 0;    ///< hash_of_gaps of what no array owns
};

/// An upper bound of what write_state_file will write.
[[nodiscard]] std::uint64_t state_file_bound(std::span<const NamedBytes> arrays);

/// Writes and syncs `path`, which must not exist. Throws IoError, NoSpaceError.
[[nodiscard]] StateLayout write_state_file(const std::filesystem::path& path,
                                           std::span<const NamedBytes> arrays);

}  // namespace eflow::io
