#include "eflow/jit/cache/pack.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/canonical.hpp"

namespace eflow::jit {
namespace {

constexpr std::string_view kMagic = "EFLWPACK";
constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kHeaderBytes = 40, kRowBytes = 80;
/// Above any kernel's size.
constexpr std::uint64_t kMaxContainerBytes = std::uint64_t{512} << 20;

struct Row {
  Key key, portable;
  std::uint64_t offset, size;
};

Key read_key(ByteReader& in) {
  Key key;
  for (Hash128& half : key.half) {
    half.high = in.u64();
    half.low = in.u64();
  }
  return key;
}

void write_key(ByteWriter& out, const Key& key) {
  for (const Hash128& half : key.half) out.u64(half.high).u64(half.low);
}

Hash128 checksum(std::string_view index) {
  return hash128(std::as_bytes(std::span(index)));
}

/// Parses header and index, the beginning of a file of `size` bytes.
std::vector<Row> parse_index(std::string_view begin, std::uint64_t size, std::string& why) {
  ByteReader in(begin);
  if (in.raw(kMagic.size()) != kMagic || in.u64() != kSchema)
    return why = "not a pack of this version", std::vector<Row>();
  const std::uint64_t count = in.u64();
  Hash128 stored;
  stored.high = in.u64();
  stored.low = in.u64();
  if (!in.ok() || count > begin.size() / kRowBytes)
    return why = "the header is truncated", std::vector<Row>();
  const std::string_view index = in.raw(count * kRowBytes);
  if (!in.ok() || checksum(index) != stored)
    return why = "the checksum of the index does not match", std::vector<Row>();
  ByteReader rows(index);
  std::vector<Row> out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Key key = read_key(rows), portable = read_key(rows);
    const std::uint64_t offset = rows.u64(), bytes = rows.u64();
    if (offset > size || bytes > size - offset || bytes > kMaxContainerBytes)
      return why = "the file is truncated", std::vector<Row>();
    out.push_back({key, portable, offset, bytes});
  }
  return out;
}

/// Reads header and index.
std::string read_beginning(const FileDescriptor& file, const std::filesystem::path& path,
                           std::uint64_t size) {
  std::string begin(kHeaderBytes, '\0');
  read_at(file, path, 0, std::as_writable_bytes(std::span(begin)));
  ByteReader in(std::string_view(begin).substr(kMagic.size() + sizeof kSchema));
  const std::uint64_t rows = std::min(in.u64(), (size - kHeaderBytes) / kRowBytes);
  begin.resize(kHeaderBytes + rows * kRowBytes);
  read_at(file, path, 0, std::as_writable_bytes(std::span(begin)));
  return begin;
}

/// The request without toolchain and options; empty if it is not a request of this version.
std::string portable_part(std::string_view request) {
  const std::optional<BuildRequest> decoded = BuildRequest::decode(request);
  return decoded ? decoded->portable_bytes() : std::string();
}

}  // namespace

struct Pack::State {
  std::filesystem::path path;
  FileDescriptor file;
  std::vector<Row> rows;
  std::multimap<Key, std::size_t> portable;

  std::string bytes_of(const Row& row) const {
    std::string bytes(row.size, '\0');
    read_at(file, path, row.offset, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  ArtifactPtr decode(const Row& row, std::string& why) const {
    try {
      std::optional<Artifact> artifact = Artifact::decode(bytes_of(row), &why);
      return artifact ? std::make_shared<const Artifact>(*std::move(artifact)) : nullptr;
    } catch (const Error& e) {  // overwritten or cut short since open()
      return why = e.what(), nullptr;
    }
  }
};

Pack::Pack() : state_(std::make_unique<State>()) {}
Pack::~Pack() = default;

std::unique_ptr<Pack> Pack::open(const std::filesystem::path& path, std::string& why) {
  std::unique_ptr<Pack> pack(new Pack);
  State& s = *pack->state_;
  s.path = path;
  try {
    s.file = open_read(path);
    struct stat info {};
    if (fstat(s.file.get(), &info) != 0 || info.st_size < static_cast<off_t>(kHeaderBytes)) {
      return why = path.string() + " is not a pack", nullptr;
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    std::string wrong;
    s.rows = parse_index(read_beginning(s.file, path, size), size, wrong);
    if (!wrong.empty()) return why = str(path.string(), ": ", wrong), nullptr;
  } catch (const Error& e) {
    return why = e.what(), nullptr;
  }
  for (std::size_t i = 0; i < s.rows.size(); ++i) s.portable.emplace(s.rows[i].portable, i);
  return pack;
}

ArtifactPtr Pack::get(const Key& key, std::string_view request, std::string& why) const {
  const auto& rows = state_->rows;
  const auto row = std::lower_bound(rows.begin(), rows.end(), key,
                                    [](const Row& r, const Key& k) { return r.key < k; });
  if (row == rows.end() || row->key != key) return why = "not found", nullptr;
  ArtifactPtr artifact = state_->decode(*row, why);
  if (artifact && artifact->request != request)
    return why = "the entry belongs to another request with the same key", nullptr;
  return artifact;
}

ArtifactPtr Pack::get_portable(std::string_view portable, std::string& why) const {
  const auto [first, last] = state_->portable.equal_range(key_of(portable));
  for (auto at = first; at != last; ++at) {
    ArtifactPtr artifact = state_->decode(state_->rows[at->second], why);
    if (artifact && artifact->request.starts_with(portable)) return artifact;
  }
  if (first == last) why = "not found";
  return nullptr;
}

std::size_t Pack::size() const {
  return state_->rows.size();
}
std::string Pack::container(std::size_t i) const {
  return state_->bytes_of(state_->rows[i]);
}
const std::filesystem::path& Pack::path() const {
  return state_->path;
}

void write_pack(const std::filesystem::path& path, const std::vector<ArtifactPtr>& artifacts) {
  std::map<Key, const Artifact*> sorted;
  for (const ArtifactPtr& a : artifacts) sorted.try_emplace(a->key, a.get());
  ByteWriter index, body;
  std::uint64_t offset = kHeaderBytes + sorted.size() * kRowBytes;
  for (const auto& [key, artifact] : sorted) {
    const std::string container = artifact->encode();
    write_key(index, key);
    write_key(index, key_of(portable_part(artifact->request)));
    index.u64(offset).u64(container.size());
    body.raw(container);
    offset += container.size();
  }
  const std::string rows = index.take();
  const Hash128 sum = checksum(rows);
  ByteWriter out;
  out.raw(kMagic)
      .u64(kSchema)
      .u64(sorted.size())
      .u64(sum.high)
      .u64(sum.low)
      .raw(rows)
      .raw(body.take());
  write_file_atomically(path, out.take());
}

}  // namespace eflow::jit
