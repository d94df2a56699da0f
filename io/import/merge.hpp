#pragma once
// Joins packed data sets without packing again: parts that several processes packed, or a new part
// and the data set that it is added to.

#include <filesystem>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/shard/manifest.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// Makes `out` the clips of all parts in order, and returns its manifest. Shards are hard links where
/// the file system allows it, otherwise copies; the parts stay as they are. If `out` is a data set
/// already, its clips come first. The manifest is written last: until then, `out` is what it was.
/// Throws InvalidArgument if the parts differ in shape, type, classes, text or latent space, or if a
/// file is in the way; IoError, NoSpaceError, CorruptData.
Manifest merge_datasets(const std::vector<std::filesystem::path>& parts,
                        const std::filesystem::path& out);

}  // namespace eflow::io

EFLOW_EXPORT_END
