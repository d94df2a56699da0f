#pragma once
// Class names: reading them from a text file, in whatever form an editor leaves it, and checking
// that each name means one class.

#include <filesystem>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// Reads one name per line. The text is UTF-8, with or without a byte order mark; lines end in LF,
/// CR LF or CR; blanks around a name and blank lines at the end are dropped. Throws InvalidArgument
/// naming file and line for another encoding, a blank line between names, a control character or a
/// name that occurs twice; IoError.
[[nodiscard]] std::vector<std::string> read_class_names(const std::filesystem::path& path);

/// Throws InvalidArgument, naming both positions, if a name is empty, is not UTF-8 or occurs twice.
void check_class_names(const std::vector<std::string>& names);

}  // namespace eflow::io

EFLOW_EXPORT_END
