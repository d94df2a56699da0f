#pragma once
// Items from a WebDataset .tar or a .zip: consecutive members whose names agree up to the first dot.

#include <filesystem>
#include <set>
#include <vector>

#include "eflow/io/items/archive.hpp"
#include "eflow/io/items/file_source.hpp"
#include "eflow/io/items/item.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// KEY.npy is the clip; KEY.NAME.npy is array NAME (ReadOptions::keys); KEY.txt, KEY.json have
/// captions and label; KEY.cls has the label in decimal. Other members are ignored.
class ArchiveSource : public ItemSource {
 public:
  ArchiveSource(std::filesystem::path path, ReadOptions options);
  bool next(Item& item) override;
  void rewind() override;

 private:
  struct Member {
    std::string name;
    std::vector<std::byte> content;
  };
  bool read_group(std::string& key, std::vector<Member>& group);

  std::filesystem::path path_;
  ReadOptions options_;
  Archive archive_;
  bool more_ = false;                  ///< the archive is at a member that was not read
  std::set<std::uint64_t> seen_keys_;  ///< their hashes
};

/// Whether `path` ends like an archive that ArchiveSource reads.
[[nodiscard]] bool is_archive(const std::filesystem::path& path);

}  // namespace eflow::io

EFLOW_EXPORT_END
