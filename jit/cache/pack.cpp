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
constexpr std::uint64_t kSchema = 2, kSchemaWithoutTuning = 1;
constexpr std::size_t kHeaderBytes = 72, kHeaderWithoutTuning = 40, kRowBytes = 80;
/// Where the checksum of the index begins.
constexpr std::size_t kChecked = 40;
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

Hash128 checksum(std::string_view bytes) {
  return hash128(std::as_bytes(std::span(bytes)));
}

struct Header {
  std::uint64_t schema = 0, count = 0;
  Hash128 index = {};
  std::uint64_t tuning_at = 0, tuning_bytes = 0;
  Hash128 tuning = {};
  [[nodiscard]] std::size_t size() const {
    return schema == kSchemaWithoutTuning ? kHeaderWithoutTuning : kHeaderBytes;
  }
};

Hash128 read_hash(ByteReader& in) {
  Hash128 out;
  out.high = in.u64();
  out.low = in.u64();
  return out;
}

/// nullopt if it is not the header of a pack of a known schema.
std::optional<Header> parse_header(std::string_view begin) {
  ByteReader in(begin);
  Header h;
  if (in.raw(kMagic.size()) != kMagic) return std::nullopt;
  h.schema = in.u64();
  if (h.schema != kSchema && h.schema != kSchemaWithoutTuning) return std::nullopt;
  h.count = in.u64();
  h.index = read_hash(in);
  if (h.schema == kSchema) {
    h.tuning_at = in.u64();
    h.tuning_bytes = in.u64();
    h.tuning = read_hash(in);
  }
  return in.ok() ? std::optional(h) : std::nullopt;
}

/// Parses header and index, the beginning of a file of `size` bytes.
std::vector<Row> parse_index(std::string_view begin, std::uint64_t size, Header& header,
                             std::string& why) {
  const std::optional<Header> read = parse_header(begin);
  if (!read) return why = "not a pack of this version", std::vector<Row>();
  header = *read;
  ByteReader in(begin.substr(kChecked));
  if (header.count > begin.size() / kRowBytes)
    return why = "the header is truncated", std::vector<Row>();
  const std::size_t fields = header.size() - kChecked;
  const std::string_view checked = in.raw(fields + header.count * kRowBytes);
  if (!in.ok() || checksum(checked) != header.index)
    return why = "the checksum of the index does not match", std::vector<Row>();
  if (header.tuning_at > size || header.tuning_bytes > size - header.tuning_at ||
      header.tuning_bytes > kMaxContainerBytes)
    return why = "the file is truncated", std::vector<Row>();
  ByteReader rows(checked.substr(fields));
  std::vector<Row> out;
  for (std::uint64_t i = 0; i < header.count; ++i) {
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
  std::string begin(std::min<std::uint64_t>(kHeaderBytes, size), '\0');
  read_at(file, path, 0, std::as_writable_bytes(std::span(begin)));
  const std::optional<Header> header = parse_header(begin);
  if (!header || size < header->size()) return begin;
  const std::uint64_t rows = std::min(header->count, (size - header->size()) / kRowBytes);
  begin.resize(header->size() + rows * kRowBytes);
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
  Header header;
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
    if (fstat(s.file.get(), &info) != 0 ||
        info.st_size < static_cast<off_t>(kHeaderWithoutTuning)) {
      return why = path.string() + " is not a pack", nullptr;
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    std::string wrong;
    s.rows = parse_index(read_beginning(s.file, path, size), size, s.header, wrong);
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

std::string Pack::tuning() const {
  const State& s = *state_;
  std::string bytes(s.header.tuning_bytes, '\0');
  if (bytes.empty()) return bytes;
  read_at(s.file, s.path, s.header.tuning_at, std::as_writable_bytes(std::span(bytes)));
  if (checksum(bytes) != s.header.tuning)
    throw CorruptData(str("[jit] ", s.path.string(), ": the checksum of its tuning records does ",
                          "not match; write the pack again"));
  return bytes;
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

void write_pack(const std::filesystem::path& path, const std::vector<ArtifactPtr>& artifacts,
                std::string_view tuning) {
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
  const Hash128 tuning_sum = checksum(tuning);
  ByteWriter checked;
  checked.u64(offset).u64(tuning.size()).u64(tuning_sum.high).u64(tuning_sum.low);
  checked.raw(index.take());
  const std::string rows = checked.take();
  const Hash128 sum = checksum(rows);
  ByteWriter out;
  out.raw(kMagic).u64(kSchema).u64(sorted.size()).u64(sum.high).u64(sum.low);
  out.raw(rows).raw(body.take()).raw(tuning);
  write_file_atomically(path, out.take());
}

}  // namespace eflow::jit
