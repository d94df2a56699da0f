#include "eflow/io/checkpoint/state_reader.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/shard_format.hpp"

namespace eflow::io {
namespace {

constexpr std::string_view kLabel = "eflow checkpoint, ";
/// Where the label is: HDF5 puts attributes of the file near its beginning.
constexpr std::uint64_t kLabelWithin = 1 << 20;

std::vector<ByteRange> gaps_of(const CheckpointManifest& manifest, std::size_t number,
                               const std::filesystem::path& path) {
  std::vector<ByteRange> taken;
  for (const ArrayEntry& entry : manifest.arrays) {
    for (const ArrayPart& part : entry.parts) {
      if (part.file == number && part.bytes > 0) taken.push_back({part.offset, part.bytes});
    }
  }
  return gaps_between(std::move(taken), 0, manifest.files.at(number).bytes, path);
}

}  // namespace

std::string label_of(std::int64_t step, const SavePart& part) {
  if (part.count == 1) return "";
  return str(kLabel, "step ", step, ", rank ", part.index, " of ", part.count);
}

void out_of_memory(const std::filesystem::path& path, std::uint64_t bytes) {
  throw DeviceError(str("[checkpoint] ", path.string(), ": not enough memory to read ", bytes,
                        " bytes; free some memory, or raise the limit (ulimit -v)"));
}

std::string StateReader::remedy() const {
  if (label_.empty()) return "";
  std::string head(std::min(size_of_file(file_, path_), kLabelWithin), '\0');
  read_at(file_, path_, 0, std::as_writable_bytes(std::span(head.data(), head.size())));
  const std::size_t at = head.find(kLabel);
  // c_str(): the label ends with a zero.
  const std::string found = at == std::string::npos ? "" : head.substr(at, 200).c_str();
  return str(found.empty() || found == label_
                 ? ""
                 : str("; it is the file of another part (\"", found, "\")"),
             "; put back the file of \"", label_, "\", or use another checkpoint");
}

void StateReader::check_size() const {
  const std::uint64_t size = size_of_file(file_, path_);
  if (size == described_.bytes) return;
  throw CorruptData(str("[checkpoint] ", path_.string(), " has ", size, " bytes, expected ",
                        described_.bytes, size < described_.bytes ? ": it is cut short" : "",
                        remedy()));
}

void StateReader::read(const ArrayEntry& array, const ArrayPart& part,
                       std::span<std::byte> bytes) const {
  read_at(file_, path_, part.offset, bytes);
  if (const Hash128 found = hash128(bytes); found != part.hash) {
    throw CorruptData(str("[checkpoint] ", path_.string(), ", array ", array.info.name, ", bytes ",
                          part.offset, " + ", part.bytes, ": hash is ", to_hex(found),
                          ", expected ", to_hex(part.hash), remedy()));
  }
}

void StateReader::verify(const CheckpointManifest& manifest, std::size_t number) const {
  check_size();
  std::vector<std::byte> bytes;
  for (const ArrayEntry& entry : manifest.arrays) {
    for (const ArrayPart& part : entry.parts) {
      if (part.file != number) continue;
      naming(path_, part.bytes, [&] { bytes.resize(part.bytes); });
      read(entry, part, bytes);
    }
  }
  const std::uint64_t found = naming(path_, described_.bytes, [&] {
    return hash_of_gaps(gaps_of(manifest, number, path_), [&](const ByteRange& gap) {
      std::vector<std::byte> between(gap.bytes);
      read_at(file_, path_, gap.offset, between);
      return between;
    });
  });
  if (found != described_.structure_hash) {
    throw CorruptData(str("[checkpoint] ", path_.string(),
                          ", HDF5 structure (the bytes between the arrays): hash is ",
                          to_hex(found), ", expected ", to_hex(described_.structure_hash),
                          remedy()));
  }
}

}  // namespace eflow::io
