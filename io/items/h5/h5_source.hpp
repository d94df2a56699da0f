#pragma once
// Items from a foreign HDF5 file: one for each row of an array. HDF5 reads it in a process of its own
// with bounded memory and time, so that a damaged or hostile file can do no more than fail.

#include <filesystem>
#include <memory>

#include "eflow/io/items/item.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct H5Options {
  std::string clip{}, labels{},
      context{};        ///< paths in the file: "/latents"; labels and context: or ""
  double seconds = 60;  ///< that reading one row may take
};

class H5Source : public ItemSource {
 public:
  /// Throws CorruptData or InvalidArgument, with the file's name, for whatever HDF5 makes of it.
  H5Source(std::filesystem::path path, H5Options options);
  ~H5Source() override;
  [[nodiscard]] std::int64_t expected() const override;
  bool next(Item& item) override;
  void rewind() override;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// Whether `path` ends like an HDF5 file.
[[nodiscard]] bool is_h5(const std::filesystem::path& path);

}  // namespace eflow::io

EFLOW_EXPORT_END
