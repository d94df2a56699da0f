#include "eflow/io/items/archive_source.hpp"

#include <algorithm>
#include <charconv>

#include "eflow/core/base/hash.hpp"
#include "eflow/io/items/npy_members.hpp"
#include "eflow/io/items/side_info.hpp"

namespace eflow::io {
namespace {

/// "a/b/0001.latent.npy": key "a/b/0001", end "latent.npy".
std::pair<std::string, std::string> split(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::int64_t decimal(std::string_view text, const std::string& where) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || end != text.data() + text.size())
    throw InvalidArgument(str("[import] ", where, " is no integer"));
  return value;
}

/// A name under which NamedArrays finds the clip: plain "npy" becomes "clip".
std::string array_name(const std::string& end) {
  return end == "npy" ? "clip" : end.substr(0, end.size() - 4);
}

/// Of "cats/0001", the folder's name.
std::string folder_of(const std::string& key) {
  return std::filesystem::path(key).parent_path().filename().string();
}

}  // namespace

bool is_archive(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  for (const char* end : {".tar", ".zip", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"})
    if (name.ends_with(end)) return true;
  return false;
}

ArchiveSource::ArchiveSource(std::filesystem::path path, ReadOptions options)
    : path_(std::move(path)), options_(std::move(options)), archive_(path_) {
  more_ = archive_.next();
}

void ArchiveSource::rewind() {
  archive_ = Archive(path_);
  more_ = archive_.next();
  seen_keys_.clear();
}

bool ArchiveSource::read_group(std::string& key, std::vector<Member>& group) {
  if (!more_) return false;
  key = split(archive_.name()).first;
  std::uint64_t left = kMaxMember;  // of the whole group
  while (more_ && split(archive_.name()).first == key) {
    std::string end = split(archive_.name()).second;
    const bool known =
        end == "npy" || end.ends_with(".npy") || end == "txt" || end == "json" || end == "cls";
    Member member{std::move(end), {}};
    if (known) member.content = archive_.read(left);
    left -= member.content.size();
    group.push_back(std::move(member));
    more_ = archive_.next();
  }
  return true;
}

bool ArchiveSource::next(Item& item) {
  std::string key;
  std::vector<Member> group;
  item = Item{};
  try {
    if (!read_group(key, group)) return false;
  } catch (const CorruptData& error) {
    more_ = false;
    throw ItemFault(str(path_.filename().string(), "/", key, " and all after it"), error.what());
  }
  item.source = str(path_.filename().string(), "/", key);
  if (!seen_keys_.insert(hash64(key)).second) {
    throw ItemFault(item.source,
                    "its members are not next to each other in the archive; sort the names when "
                    "making it");
  }
  try {
    NpyMembers arrays(item.source, options_.two_bytes_are_bf16);
    std::string ends;
    for (Member& member : group) {
      ends += str(ends.empty() ? "." : ", .", member.name);
      const std::string where = str(item.source, ".", member.name);
      if (member.name == "txt") {
        add_text_info(text_of(member.content), where, item);
      } else if (member.name == "json") {
        add_json_info(text_of(member.content), where, item);
      } else if (member.name == "cls") {
        item.label = decimal(text_of(member.content), where);
      } else if (member.name.ends_with("npy")) {
        arrays.add(array_name(member.name), std::move(member.content));
      }
    }
    if (arrays.empty()) throw InvalidArgument(str("it has ", ends, " but no .npy"));
    read_named_arrays(arrays, options_.keys, item.source, item);
    if (options_.class_by_folder) item.class_name = folder_of(key);
  } catch (const Error& error) {
    throw ItemFault(item.source, error.what());
  }
  return true;
}

}  // namespace eflow::io
