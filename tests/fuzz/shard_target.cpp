// Shards of both versions, read as a data set is. The checksum of the index is made right first.
#include <bit>
#include <cstring>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/dataset/dataset_writer.hpp"
#include "eflow/io/shard/shard.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

std::string make_shard(bool text) {
  const ScratchFolder folder;
  io::DatasetSpec spec;
  spec.dtype = DType::kU8;
  spec.shape = {1, 2, 2, 3};
  if (text) {
    spec.text = io::TextSpec{.dtype = DType::kF32, .width = 2, .max_length = 4};
    spec.sources = true;
  }
  io::DatasetWriter writer(folder / "set", spec);
  for (int i = 0; i < 3; ++i) {
    const std::vector<std::byte> clip(12, static_cast<std::byte>(i));
    io::ClipRecord record{.clip = clip};
    if (text) {
      record.source = "x";
      record.captions.resize(static_cast<std::size_t>(1 + i % 2));
      for (auto& caption : record.captions)
        caption = {"words", 1 + i, std::vector<std::byte>(static_cast<std::size_t>(8 * (1 + i)))};
    }
    writer.add(record);
  }
  writer.finish();
  return read_file(folder / "set" / "shard-00000.h5");
}

/// Sets the checksum at the end of the user block, whose size is at byte 16, and the file's size at
/// byte 24.
void repair(std::string* file) {
  if (file->size() < 128) return;
  const std::uint64_t size = file->size();
  std::memcpy(file->data() + 24, &size, 8);
  std::uint64_t block = 0;
  std::memcpy(&block, file->data() + 16, 8);
  if (block < 512 || block > file->size() || block > 1u << 17 || !std::has_single_bit(block))
    return;
  const Hash128 hash = hash128(std::as_bytes(std::span(file->data(), block - 16)));
  std::memcpy(file->data() + block - 16, &hash.high, 8);
  std::memcpy(file->data() + block - 8, &hash.low, 8);
}

}  // namespace

std::vector<std::string> seeds() {
  return {make_shard(false), make_shard(true)};
}

void run(std::string_view input) {
  std::string content(input);
  repair(&content);
  const MemoryFile file(content);
  const io::Shard shard(file.path(), 0);
  const std::size_t raw = shard.index().samples.front().raw;
  if (raw <= 1 << 20) {
    std::vector<std::byte> clip(raw);
    for (std::size_t i = 0; i < shard.index().samples.size(); ++i) {
      try {
        shard.read(static_cast<std::int64_t>(i), clip);
      } catch (const CorruptData&) {  // the next may be intact
      }
    }
  }
  shard.verify_records();
  shard.verify_structure();
}

}  // namespace eflow::fuzz
