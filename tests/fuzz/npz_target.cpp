// .npz files: which arrays there are, and their values and labels. Members are stored or deflated.
#include "eflow/io/items/archive.hpp"
#include "eflow/io/items/named_arrays.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {
namespace {

void number(std::uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> 8 * i));
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

/// A member's header, in the middle of the file or, with its offset, at the end.
std::string header(const std::string& name, std::string_view content, std::int64_t offset) {
  std::string out = offset < 0 ? "PK\3\4" : "PK\1\2";
  if (offset >= 0) number(20, 2, &out);
  number(20, 2, &out);  // version needed
  number(0, 8, &out);   // flags, stored, time
  number(crc32(content), 4, &out);
  number(content.size(), 4, &out);
  number(content.size(), 4, &out);
  number(name.size(), 2, &out);
  number(0, 2, &out);
  if (offset >= 0) {
    number(0, 10, &out);  // comment, disk, attributes
    number(static_cast<std::uint64_t>(offset), 4, &out);
  }
  return out + name;
}

std::string zip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string out, end;
  for (const auto& [name, content] : members) {
    end += header(name, content, static_cast<std::int64_t>(out.size()));
    out += header(name, content, -1) + content;
  }
  const std::size_t start = out.size();
  out += end + "PK\5\6";
  number(0, 4, &out);
  for (int i = 0; i < 2; ++i) number(members.size(), 2, &out);
  number(end.size(), 4, &out);
  number(start, 4, &out);
  number(0, 2, &out);
  return out;
}

std::string npy(const std::string& descr, const std::string& shape, std::size_t data) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  text.resize((text.size() + 10) / 64 * 64 + 64 - 10 - 1, ' ');
  text += '\n';
  std::string out = "\x93NUMPY\1";
  out.push_back('\0');
  number(text.size(), 2, &out);
  return out + text + std::string(data, '\2');
}

}  // namespace

std::vector<std::string> seeds() {
  return {zip({{"latents.npy", npy("<f4", "(2, 3)", 24)}, {"label.npy", npy("<i8", "()", 8)}}),
          zip({{"a.npy", npy("<f2", "(4,)", 8)}, {"b.npy", npy("|u1", "(1, 1)", 1)}})};
}

void run(std::string_view input) {
  if (!io::has_archives()) return;
  const MemoryFile file(input);
  const auto arrays = io::open_npz(file.path(), false);
  for (const std::string& name : arrays->names()) {
    try {
      static_cast<void>(arrays->read(name));
    } catch (const Error&) {  // the others may be of supported types
    }
    try {
      static_cast<void>(arrays->read_label(name));
    } catch (const Error&) {
    }
  }
}

}  // namespace eflow::fuzz
