#include "eflow/io/items/array_bytes.hpp"

#include <algorithm>
#include <array>

#include "eflow/io/dataset/npy.hpp"
#include "eflow/io/dataset/npy_header.hpp"

namespace eflow::io {
namespace {

/// The header's text and the bytes after it.
struct NpyParts {
  std::string_view text;
  std::span<const std::byte> data;
  std::uint64_t offset = 0;
};

NpyParts parts_of(std::span<const std::byte> file, const std::string& where) {
  std::array<std::byte, kNpyStart> start{};
  std::copy_n(file.begin(), std::min(file.size(), start.size()), start.begin());
  const auto [begin, length] = npy_header_range(start, file.size(), where);
  return {{reinterpret_cast<const char*>(file.data()) + begin, length},
          file.subspan(begin + length),
          begin + length};
}

}  // namespace

RawArray parse_npy(std::span<const std::byte> file, const std::string& where,
                   bool two_bytes_are_bf16) {
  const NpyParts parts = parts_of(file, where);
  const auto [element, shape] = parse_npy_element_header(parts.text, where, two_bytes_are_bf16);
  check_npy_size(shape, size_of(element), parts.offset, file.size(), where);
  return {element, shape, {parts.data.begin(), parts.data.end()}};
}

RawArray read_npy(const std::filesystem::path& path, bool two_bytes_are_bf16) {
  const std::string file = read_file(path);
  return parse_npy(std::as_bytes(std::span(file)), path.string(), two_bytes_are_bf16);
}

std::int64_t parse_npy_label(std::span<const std::byte> file, const std::string& where) {
  const NpyParts parts = parts_of(file, where);
  const auto [format, shape] = parse_npy_integer_header(parts.text, where);
  check_npy_size(shape, format.bytes, parts.offset, file.size(), where);
  if (element_count(shape) != 1)
    throw InvalidArgument(str("[import] ", where, " is ", shape, "; a label is one integer"));
  return npy_integer_at(parts.data.data(), format);
}

void drop_unit_axes(RawArray& array, int rank) {
  Shape shape;
  int extra = std::max(0, array.shape.rank() - rank);
  for (const std::int64_t size : array.shape) {
    if (extra > 0 && shape.rank() == 0 && size == 1) {
      --extra;
      continue;
    }
    shape.push_back(size);
  }
  array.shape = shape;
}

RawArray token_rows(RawArray array, const std::string& where) {
  drop_unit_axes(array, 2);
  if (array.shape.rank() != 2 || element_count(array.shape) == 0) {
    throw InvalidArgument(str("[import] ", where, " is ", array.shape,
                              "; expected token embeddings [tokens, width]"));
  }
  const std::size_t row = static_cast<std::size_t>(array.shape[1]) * size_of(array.element);
  std::int64_t rows = array.shape[0];
  const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
  while (rows > 1 && std::all_of(array.bytes.end() - static_cast<std::ptrdiff_t>(row),
                                 array.bytes.end(), is_zero)) {
    array.bytes.resize(array.bytes.size() - row);
    --rows;
  }
  array.shape = {rows, array.shape[1]};
  return array;
}

}  // namespace eflow::io
