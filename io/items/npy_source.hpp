#pragma once
// Items from one .npy file with many clips: one row each.

#include <filesystem>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/items/item.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

class NpySource : public ItemSource {
 public:
  /// `labels`: a .npy file with one integer per clip; empty: none. Throws IoError, CorruptData,
  /// InvalidArgument.
  NpySource(const std::filesystem::path& clips, const std::filesystem::path& labels,
            bool two_bytes_are_bf16);
  [[nodiscard]] std::int64_t expected() const override { return shape_[0]; }
  bool next(Item& item) override;
  void rewind() override { at_ = 0; }

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  Element element_ = Element::kU8;
  Shape shape_{};
  std::uint64_t offset_ = 0;
  std::vector<std::int64_t> labels_;
  std::int64_t at_ = 0;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
