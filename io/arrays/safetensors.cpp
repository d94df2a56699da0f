#include "eflow/io/arrays/safetensors.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"

namespace eflow::io {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
constexpr int kMaxRank = 8;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& fault) {
  throw CorruptData(str("[safetensors] ", path.string(), fault));
}

/// The JSON text of the header. Its length is checked against the file before it is allocated.
std::string read_header(const FileDescriptor& file, std::uint64_t size,
                        const std::filesystem::path& path) {
  if (size < 8) refuse(path, str(" has ", size, " bytes: it is not a .safetensors file"));
  std::uint64_t length = 0;
  read_at(file, path, 0, std::as_writable_bytes(std::span(&length, 1)));
  if (length < 2 || length > kMaxHeader || length > size - 8) {
    refuse(path, str(", byte 0: the header has ", length, " bytes; expected 2 to ",
                     std::min(kMaxHeader, size - 8), ": it is not a .safetensors file, or cut"));
  }
  std::string text(length, '\0');
  read_at(file, path, 8, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

/// Parses the header. A name that occurs twice is refused rather than overwritten.
json parse_header(const std::string& text, const std::filesystem::path& path) {
  check_json_bounds(text, path);
  std::set<std::string> names;
  std::string twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth == 1 && event == json::parse_event_t::key &&
        !names.insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  json object;
  try {
    object = json::parse(text, watch);
  } catch (const json::exception& e) {
    refuse(path, str(", header: ", e.what()));
  }
  if (!object.is_object()) refuse(path, ", header: expected a JSON object");
  if (!twice.empty()) refuse(path, str(": two arrays are named \"", twice, "\""));
  return object;
}

/// One entry of the header; `data` and `size` are the begin of the data and the end of the file.
StoredArray parse_array(const std::string& name, const json& entry, std::uint64_t data,
                        std::uint64_t size, const std::filesystem::path& path) {
  StoredArray array;
  array.dtype = field<std::string>(entry, "dtype", path);
  const std::size_t element = element_bytes(array.dtype);
  if (element == 0)
    refuse(path, str(", array \"", name, "\": unknown dtype \"", array.dtype, "\""));
  const auto dims = field<std::vector<std::int64_t>>(entry, "shape", path);
  std::int64_t count = 1;
  if (dims.size() > kMaxRank)
    refuse(path, str(", array \"", name, "\": ", dims.size(), " dimensions; expected at most 8"));
  for (const std::int64_t d : dims) {
    if (d < 0 || d > kMaxElements || (d > 0 && count > kMaxElements / d))
      refuse(path, str(", array \"", name, "\": dimension ", d, " is out of range"));
    count *= d;
  }
  array.shape = Shape(dims);
  const auto at = field<std::vector<std::uint64_t>>(entry, "data_offsets", path);
  const std::uint64_t bytes = static_cast<std::uint64_t>(count) * element;
  if (at.size() != 2 || at[1] < at[0] || at[1] > size - data || at[1] - at[0] != bytes) {
    refuse(path, str(", array \"", name, "\": data_offsets do not delimit the ", bytes,
                     " bytes of ", array.shape, " ", array.dtype, " in the file"));
  }
  array.offset = data + at[0];
  array.bytes = bytes;
  return array;
}

/// Throws unless the arrays cover [data, size) exactly.
void check_cover(const std::map<std::string, StoredArray>& arrays, std::uint64_t data,
                 std::uint64_t size, const std::filesystem::path& path) {
  std::vector<const StoredArray*> order;
  for (const auto& [name, array] : arrays) order.push_back(&array);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  std::uint64_t end = data;
  for (const StoredArray* array : order) {
    if (array->offset != end)
      refuse(path,
             str(", byte ", std::min(end, array->offset), ": arrays overlap or leave a hole"));
    end += array->bytes;
  }
  if (end != size) refuse(path, str(": ", size - end, " bytes follow the last array"));
}

template <class T>
void convert(std::span<const std::byte> bytes, std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<float>(value);
  }
}

struct Half {
  std::uint16_t bits;
  explicit operator float() const { return half_to_float(bits); }
};

template <class T>
std::vector<std::int64_t> integers(std::span<const std::byte> bytes) {
  std::vector<std::int64_t> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<std::int64_t>(value);
  }
  return values;
}

}  // namespace

std::size_t element_bytes(std::string_view dtype) {
  struct Known {
    std::string_view name;
    std::size_t bytes;
  };
  static constexpr std::array kKnown = {
      Known{"BOOL", 1}, Known{"U8", 1},  Known{"I8", 1},  Known{"F8_E5M2", 1}, Known{"F8_E4M3", 1},
      Known{"I16", 2},  Known{"U16", 2}, Known{"F16", 2}, Known{"BF16", 2},    Known{"I32", 4},
      Known{"U32", 4},  Known{"F32", 4}, Known{"F64", 8}, Known{"I64", 8},     Known{"U64", 8}};
  for (const Known& known : kKnown)
    if (known.name == dtype) return known.bytes;
  return 0;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = half >> 10 & 31u, fraction = half & 1023u;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : path_(path), file_(open_read(path)) {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) throw_errno("stat", path_.string());
  if (!S_ISREG(info.st_mode))
    throw IoError(str("[safetensors] ", path_.string(), " is not a regular file"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::string text = read_header(file_, size, path_);
  const std::uint64_t data = 8 + text.size();
  const json header = parse_header(text, path_);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      try {
        metadata_ = entry.get<std::map<std::string, std::string>>();
      } catch (const json::exception& e) {
        refuse(path_, str(", __metadata__: ", e.what()));
      }
    } else {
      arrays_.emplace(name, parse_array(name, entry, data, size, path_));
    }
  }
  check_cover(arrays_, data, size, path_);
}

std::string SafetensorsFile::metadata(const std::string& key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? "" : found->second;
}

const StoredArray& SafetensorsFile::array(const std::string& name) const {
  const auto found = arrays_.find(name);
  if (found != arrays_.end()) return found->second;
  constexpr std::size_t kNamed = 12;
  std::string names;
  for (auto it = arrays_.begin(); it != arrays_.end(); ++it) {
    const auto i = static_cast<std::size_t>(std::distance(arrays_.begin(), it));
    if (i == kNamed) {
      names += str(" and ", arrays_.size() - kNamed, " more");
      break;
    }
    names += str(i ? ", " : "", it->first);
  }
  throw InvalidArgument(
      str("[safetensors] ", path_.string(), " has no array \"", name, "\"; it has ", names));
}

void SafetensorsFile::read(const StoredArray& array, std::uint64_t first,
                           std::span<std::byte> bytes) const {
  if (first > array.bytes || bytes.size() > array.bytes - first) {
    throw InvalidArgument(str("[safetensors] ", path_.string(), ": bytes ", first, " + ",
                              bytes.size(), " of an array of ", array.bytes, " bytes"));
  }
  read_at(file_, path_, array.offset + first, bytes);
}

void SafetensorsFile::read_floats(const std::string& name, std::int64_t first,
                                  std::span<float> values) const {
  const StoredArray& from = array(name);
  const std::size_t element = element_bytes(from.dtype);
  std::vector<std::byte> bytes(values.size() * element);
  read(from, static_cast<std::uint64_t>(first) * element, bytes);
  if (from.dtype == "F32") return convert<float>(bytes, values);
  if (from.dtype == "BF16") return convert<bfloat16>(bytes, values);
  if (from.dtype == "F16") return convert<Half>(bytes, values);
  if (from.dtype == "F64") return convert<double>(bytes, values);
  throw InvalidArgument(str("[safetensors] ", path_.string(), ": array \"", name, "\" is ",
                            from.dtype, "; expected F16, BF16, F32 or F64"));
}

std::vector<std::int64_t> SafetensorsFile::read_integers(const std::string& name) const {
  const StoredArray& from = array(name);
  std::vector<std::byte> bytes(from.bytes);
  read(from, 0, bytes);
  if (from.dtype == "I64") return integers<std::int64_t>(bytes);
  if (from.dtype == "I32") return integers<std::int32_t>(bytes);
  if (from.dtype == "I16") return integers<std::int16_t>(bytes);
  if (from.dtype == "I8") return integers<std::int8_t>(bytes);
  if (from.dtype == "U8" || from.dtype == "BOOL") return integers<std::uint8_t>(bytes);
  if (from.dtype == "U16") return integers<std::uint16_t>(bytes);
  if (from.dtype == "U32") return integers<std::uint32_t>(bytes);
  throw InvalidArgument(str("[safetensors] ", path_.string(), ": array \"", name, "\" is ",
                            from.dtype, "; expected integers of at most 64 bits"));
}

std::string encode_safetensors(const std::vector<ArrayToStore>& arrays,
                               const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t end = 0;
  for (const ArrayToStore& array : arrays) {
    const std::size_t element = element_bytes(array.dtype);
    const auto count = static_cast<std::uint64_t>(element_count(array.shape));
    if (element == 0 || count * element != array.bytes.size()) {
      throw InvalidArgument(str("[safetensors] array \"", array.name, "\": ", array.shape, " ",
                                array.dtype, " does not take ", array.bytes.size(), " bytes"));
    }
    if (header.contains(array.name))
      throw InvalidArgument(str("[safetensors] two arrays are named \"", array.name, "\""));
    header[array.name] = {
        {"dtype", array.dtype},
        {"shape", std::vector<std::int64_t>(array.shape.begin(), array.shape.end())},
        {"data_offsets", {end, end + array.bytes.size()}}};
    end += array.bytes.size();
  }
  std::string text = arrays.empty() && metadata.empty() ? "{}" : header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  std::string file(reinterpret_cast<const char*>(&length), 8);
  file.reserve(8 + text.size() + end);
  file += text;
  for (const ArrayToStore& array : arrays)
    file.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  return file;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<ArrayToStore>& arrays,
                       const std::map<std::string, std::string>& metadata) {
  write_file_atomically(path, encode_safetensors(arrays, metadata));
}

}  // namespace eflow::io
