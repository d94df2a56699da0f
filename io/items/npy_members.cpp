#include "eflow/io/items/npy_members.hpp"

#include "eflow/io/items/archive.hpp"
#include "eflow/io/items/array_bytes.hpp"

namespace eflow::io {

void NpyMembers::add(const std::string& name, std::vector<std::byte> npy_file) {
  if (!files_.emplace(name, std::move(npy_file)).second)
    throw CorruptData(str("[import] ", where_, " has two arrays \"", name, "\""));
}

const std::vector<std::byte>& NpyMembers::file(const std::string& name) const {
  return files_.at(name);
}

std::vector<std::string> NpyMembers::names() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : files_) out.push_back(name);
  return out;
}

RawArray NpyMembers::read(const std::string& name) const {
  return parse_npy(file(name), str(where_, ", array \"", name, "\""), two_bytes_are_bf16_);
}

std::int64_t NpyMembers::read_label(const std::string& name) const {
  return parse_npy_label(file(name), str(where_, ", array \"", name, "\""));
}

std::unique_ptr<NamedArrays> open_npz(const std::filesystem::path& path, bool two_bytes_are_bf16) {
  constexpr std::string_view kEnd = ".npy";
  auto out = std::make_unique<NpyMembers>(path.string(), two_bytes_are_bf16);
  Archive archive(path);
  std::uint64_t left = kMaxMember;  // of all arrays together
  while (archive.next()) {
    std::string name = archive.name();
    if (!name.ends_with(kEnd)) continue;
    name.resize(name.size() - kEnd.size());
    std::vector<std::byte> file = archive.read(left);
    left -= file.size();
    out->add(name, std::move(file));
  }
  return out;
}

}  // namespace eflow::io
