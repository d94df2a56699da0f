#pragma once
// RecordsBuilder: collects the captions and sources of the clips of one shard. Equal embeddings are
// stored once. Internal to io.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eflow/core/base/hash.hpp"
#include "eflow/io/shard/clip_record.hpp"
#include "eflow/io/shard/manifest.hpp"
#include "eflow/io/shard/shard_image.hpp"

namespace eflow::io {

class RecordsBuilder {
 public:
  /// Checks what a clip has beyond its values against the spec, and adds it. `number` is the
  /// clip's in the data set, for messages. Throws InvalidArgument.
  void add(const DatasetSpec& spec, const ClipRecord& record, std::int64_t number);
  /// Compresses the embeddings and returns all; the builder is empty then.
  [[nodiscard]] ShardRecords take(const DatasetSpec& spec);

 private:
  std::int64_t add_string(const std::string& text);

  std::int64_t clips_ = 0;
  std::vector<CaptionEntry> captions_;
  std::vector<SourceEntry> sources_;
  std::vector<std::vector<std::byte>> embeddings_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::int64_t> numbers_;  ///< of embeddings
  std::map<std::string, std::int64_t> offsets_;                              ///< of strings
  std::string strings_;
};

}  // namespace eflow::io
