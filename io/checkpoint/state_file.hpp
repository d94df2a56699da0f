#pragma once
// Writes state.h5 of a checkpoint, or the file of one of several writers. HDF5 only lays the file
// out in memory; all bytes on disk are written here. A full disk is then an ordinary errno, whereas
// inside HDF5 it would leave a file that can be neither completed nor closed. Internal to io.

#include <filesystem>
#include <span>
#include <vector>

#include "eflow/io/checkpoint/checkpoint.hpp"

namespace eflow::io {

struct StateLayout {
  std::vector<std::uint64_t> offsets;  ///< of each array; 0 for one without elements
  std::uint64_t bytes = 0;             ///< file size
  std::uint64_t structure_hash = 0;    ///< hash_of_gaps() over the bytes that belong to no array
};

/// Throws InvalidArgument unless step and names are valid, no name occurs twice, and the bytes of
/// each array are elements of it, from a multiple of kSaveBlock on.
void check_saved_arrays(std::int64_t step, std::span<const NamedBytes> arrays);
/// Throws InvalidArgument unless the bytes are all elements.
void require_whole(const NamedBytes& array);

/// An upper bound on the number of bytes that write_state_file() writes.
[[nodiscard]] std::uint64_t state_file_bound(std::span<const NamedBytes> arrays);

/// Writes and fsyncs `path`, which must not exist; does not sync its directory. Of an array that is
/// not whole, the file has a row of the elements that are given. label: an attribute of the file,
/// unless empty. Throws IoError, NoSpaceError.
[[nodiscard]] StateLayout write_state_file(const std::filesystem::path& path,
                                           std::span<const NamedBytes> arrays,
                                           const std::string& label = "");

}  // namespace eflow::io
