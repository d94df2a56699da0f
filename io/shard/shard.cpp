#include "eflow/io/shard/shard.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/byte_shuffle.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace {

std::uint64_t file_size(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  if (!S_ISREG(info.st_mode)) {
    throw IoError(str("[shard] ", path.string(), " is not a regular file"));
  }
  return static_cast<std::uint64_t>(info.st_size);
}

ShardIndex read_index(const FileDescriptor& file, const std::filesystem::path& path) {
  const std::uint64_t size = file_size(file, path);
  std::vector<std::byte> block(kHeaderBytes);
  read_at(file, path, 0, block);
  block.resize(user_block_of(block, path));
  read_at(file, path, 0, block);
  return decode_index(block, size, path);
}

/// Per-thread buffers, reused between calls.
struct Scratch {
  std::vector<std::byte> stored, shuffled;
};
Scratch& scratch() {
  thread_local Scratch buffers;
  return buffers;
}

std::atomic<std::uint64_t>& kept_descriptors() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

}  // namespace

DescriptorShare DescriptorShare::take() {
  constexpr rlim_t kLeast = 64;  // what the rest of a process needs
  rlimit limit{};
  DescriptorShare share;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kLeast) return share;
  share.held_ = kept_descriptors().fetch_add(1) < limit.rlim_cur / 2;
  if (!share.held_) kept_descriptors().fetch_sub(1);
  return share;
}

DescriptorShare::~DescriptorShare() {
  if (held_) kept_descriptors().fetch_sub(1);
}

Shard::Shard(std::filesystem::path path, std::int64_t first)
    : path_(std::move(path)), first_(first), file_(open_read(path_)) {
  index_ = read_index(file_, path_);
  labels_.resize(index_.samples.size());
  const auto bytes = std::as_writable_bytes(std::span(labels_));
  read_at(file_, path_, index_.labels_offset, bytes);
  if (const std::uint64_t found = hash64(bytes); found != index_.labels_hash) {
    throw CorruptData(str("[shard] ", path_.string(), ", labels, bytes ", index_.labels_offset,
                          " + ", bytes.size(), ": hash is ", to_hex(found), ", expected ",
                          to_hex(index_.labels_hash)));
  }
  share_ = DescriptorShare::take();
  if (!share_.held()) file_ = {};
}

void Shard::read(std::int64_t i, std::span<std::byte> clip) const {
  const SampleEntry& entry = index_.samples.at(static_cast<std::size_t>(i));
  EFLOW_ASSERT(clip.size() == entry.raw);
  const auto refuse = [&](const std::string& what) {
    throw CorruptData(str("[shard] ", path_.string(), ", sample ", first_ + i, " (", i,
                          " of the shard), bytes ", entry.offset, " + ", entry.stored, ": ", what,
                          "; the clip is damaged, pack the data set again"));
  };
  Scratch& buffers = scratch();
  buffers.stored.resize(entry.stored);
  if (file_.valid()) {
    read_at(file_, path_, entry.offset, buffers.stored);
  } else {
    read_at(open_read(path_), path_, entry.offset, buffers.stored);
  }
  if (const std::uint64_t found = hash64(buffers.stored); found != entry.hash) {
    refuse(str("hash is ", to_hex(found), ", expected ", to_hex(entry.hash)));
  }
  const std::size_t element = size_of(index_.dtype);
  if (element == 1) {  // shuffling single bytes is the identity
    if (const auto fault = zstd_decompress(buffers.stored, clip)) refuse(*fault);
    return;
  }
  buffers.shuffled.resize(entry.raw);
  if (const auto fault = zstd_decompress(buffers.stored, buffers.shuffled)) refuse(*fault);
  byte_unshuffle(buffers.shuffled, element, clip);
}

void Shard::verify_structure() const {
  const auto gaps = gaps_between(taken_ranges(index_), index_.user_block, index_.file_bytes, path_);
  const FileDescriptor file = open_read(path_);
  const std::uint64_t found = hash_of_gaps(gaps, [&](const ByteRange& gap) {
    std::vector<std::byte> bytes(gap.bytes);
    read_at(file, path_, gap.offset, bytes);
    return bytes;
  });
  if (found != index_.structure_hash) {
    throw CorruptData(str("[shard] ", path_.string(), ", HDF5 structure (", gaps.size(),
                          " ranges from byte ", index_.user_block, " on): hash is ", to_hex(found),
                          ", expected ", to_hex(index_.structure_hash),
                          "; eflow can read the clips, HDF5 tools may not"));
  }
}

}  // namespace eflow::io
