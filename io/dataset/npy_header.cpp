#include "eflow/io/dataset/npy_header.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

/// A left-to-right parser of the literal; rejects anything unexpected with its position.
class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  /// Parses the dict and passes the element type to of_descriptor(text).
  template <class OfDescriptor>
  Shape parse(const OfDescriptor& of_descriptor);

 private:
  [[noreturn]] void refuse(const std::string& expected) const {
    throw CorruptData(str("[npy] ", path_, ", header character ", at_, ": expected ", expected));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  [[nodiscard]] bool accept(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) refuse(str("\"", token, "\""));
  }
  std::string_view quoted() {
    const char quote = accept("'") ? '\'' : '"';
    if (quote == '"') expect("\"");
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos || end - at_ > 64)
      refuse("a quoted string of at most 64 characters");
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    if (accept("True")) return true;
    expect("False");
    return false;
  }
  Shape tuple();

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

Shape Parser::tuple() {
  Shape shape;
  expect("(");
  while (!accept(")")) {
    if (shape.rank() == Shape::kMaxRank) refuse(str("at most ", Shape::kMaxRank, " sizes"));
    skip_blanks();
    std::int64_t size = 0;
    const char* begin = text_.data() + at_;
    const auto [end, code] = std::from_chars(begin, text_.data() + text_.size(), size);
    if (code != std::errc() || size < 0) refuse("a size");
    at_ += static_cast<std::size_t>(end - begin);
    shape.push_back(size);
    if (!accept(",")) {
      expect(")");
      if (shape.rank() == 1) refuse("a comma in a one-element tuple");
      break;
    }
  }
  try {
    static_cast<void>(element_count(shape));
  } catch (const InvalidArgument&) {
    refuse("a shape with fewer elements");
  }
  return shape;
}

/// How to convert an array of an unsupported element type, which a descriptor such as "<i2" names.
std::string conversion_of(std::string_view descriptor) {
  switch (descriptor.size() > 1 ? descriptor[1] : '?') {
    case 'i':
    case 'u':
      return "np.save(path, array.astype('<f4')) for numbers, or, for pixels from 0 to 255, "
             "np.save(path, array.astype('u1'))";
    case 'U':
    case 'S':
      return "to number the values, np.save(path, np.unique(array, "
             "return_inverse=True)[1].astype('<i8'))";
    case 'O':
      return "np.save(path, np.stack(list(array)).astype('<f4'))";
    case 'c':
      return "np.save(path, array.real.astype('<f4'))";
    default:
      return "np.save(path, array.astype('<f4'))";
  }
}

DType dtype_of_descriptor(std::string_view descriptor, const std::string& path) {
  if (descriptor == "|u1" || descriptor == "<u1") return DType::kU8;
  if (descriptor == "<i4") return DType::kI32;
  if (descriptor == "<i8") return DType::kI64;
  if (descriptor == "<f4") return DType::kF32;
  if (descriptor == "<f8") return DType::kF64;
  throw InvalidArgument(str(
      "[npy] ", path, " holds '", descriptor,
      "'; only little-endian u1, i4, i8, f4 and f8 are supported. Convert "
      "it in Python: ",
      conversion_of(descriptor),
      descriptor == "<f2" || descriptor == "|V2" ? ". `eflow data import` packs it as it is" : ""));
}

Element element_of_descriptor(std::string_view descriptor, const std::string& path,
                              bool two_bytes_are_bf16) {
  if (descriptor == "|u1" || descriptor == "<u1") return Element::kU8;
  if (descriptor == "<f2") return Element::kF16;
  if (descriptor == "<f4") return Element::kF32;
  if (descriptor == "<f8") return Element::kF64;
  const bool two_bytes = descriptor == "|V2" || descriptor == "<V2" || descriptor == "<u2";
  if (two_bytes && two_bytes_are_bf16) return Element::kBF16;
  throw InvalidArgument(str(
      "[npy] ", path, " holds '", descriptor, "'; clips must be u1, f2, f4 or f8, little-endian",
      two_bytes ? ". If these are the bits of bf16 values, pass --dtype bf16"
                : str(". Convert it in Python: ", conversion_of(descriptor))));
}

IntegerFormat integer_of_descriptor(std::string_view descriptor, const std::string& path) {
  if (descriptor.size() == 3) {
    const char order = descriptor[0], kind = descriptor[1], bytes = descriptor[2];
    const bool known = order == '<' || order == '>' || (order == '|' && bytes == '1');
    const bool power = bytes == '1' || bytes == '2' || bytes == '4' || bytes == '8';
    if (known && power && (kind == 'i' || kind == 'u' || (kind == 'b' && bytes == '1')))
      return {static_cast<std::size_t>(bytes - '0'), kind == 'i', order == '>'};
  }
  const bool text = descriptor.size() > 1 && (descriptor[1] == 'U' || descriptor[1] == 'S');
  throw InvalidArgument(
      str("[npy] ", path, " holds '", descriptor, "'; expected integers. Convert it in Python: ",
          text ? conversion_of(descriptor) : "np.save(path, array.astype('<i8'))"));
}

template <class OfDescriptor>
Shape Parser::parse(const OfDescriptor& of_descriptor) {
  Shape shape;
  bool fortran = false, has_descr = false, has_order = false, has_shape = false;
  expect("{");
  while (!accept("}")) {
    const std::string_view key = quoted();
    expect(":");
    if (key == "descr" && !has_descr) {
      has_descr = true;
      if (accept("[")) {
        throw InvalidArgument(
            str("[npy] ", path_, " holds records; only plain numbers are supported"));
      }
      of_descriptor(quoted());
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      fortran = boolean();
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      shape = tuple();
    } else {
      refuse("descr, fortran_order and shape, once each");
    }
    if (!accept(",")) {
      expect("}");
      break;
    }
  }
  skip_blanks();
  if (at_ != text_.size()) refuse("the end of the header");
  if (!has_descr || !has_order || !has_shape) refuse("descr, fortran_order and shape");
  if (fortran && shape.rank() > 1) {
    throw InvalidArgument(str("[npy] ", path_,
                              " is in Fortran order; only C order is supported. Convert "
                              "it in Python: np.save(path, np.ascontiguousarray(array))"));
  }
  return shape;
}

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 64 << 10;

}  // namespace

NpyHeaderRange npy_header_range(std::span<const std::byte, kNpyStart> bytes, std::uint64_t size,
                                const std::string& path) {
  std::array<unsigned char, kNpyStart> start{};
  std::memcpy(start.data(), bytes.data(), start.size());
  if (size < start.size())
    throw CorruptData(str("[npy] ", path, " has ", size, " bytes: it is not a .npy file"));
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
    throw CorruptData(
        str("[npy] ", path, " does not begin with \\x93NUMPY: it is not a .npy file"));
  }
  const int version = start[6];
  if (version != 1 && version != 2) {
    throw InvalidArgument(str("[npy] ", path, " has .npy version ", version, ".", int{start[7]},
                              "; only versions 1 and 2 are supported. Save it in Python with "
                              "np.lib.format.write_array(file, array, version=(1, 0))"));
  }
  std::size_t length = start[8] | start[9] << 8;
  if (version == 2) length |= std::size_t{start[10]} << 16 | std::size_t{start[11]} << 24;
  const std::size_t begin = version == 1 ? 10 : 12;
  if (length > kMaxHeader || begin + length > size) {
    throw CorruptData(str("[npy] ", path, ", byte 8: the header length is ", length,
                          "; expected at most ", kMaxHeader, ", within the file"));
  }
  return {begin, length};
}

void check_npy_size(const Shape& shape, std::size_t element, std::uint64_t offset,
                    std::uint64_t size, const std::string& path) {
  const auto expected = static_cast<std::uint64_t>(element_count(shape));
  if (expected <= size && offset + expected * element == size) return;
  throw CorruptData(str("[npy] ", path, ": ", shape, " takes ", expected, " x ", element,
                        " bytes after byte ", offset, ", but the file has ", size - offset,
                        " there: it is cut short or has trailing bytes"));
}

NpyHeader parse_npy_header(std::string_view text, const std::string& path) {
  NpyHeader out;
  out.shape = Parser(text, path).parse([&](std::string_view word) {
    out.dtype = dtype_of_descriptor(word, path);
  });
  return out;
}

NpyElementHeader parse_npy_element_header(std::string_view text, const std::string& path,
                                          bool two_bytes_are_bf16) {
  NpyElementHeader out;
  out.shape = Parser(text, path).parse([&](std::string_view word) {
    out.element = element_of_descriptor(word, path, two_bytes_are_bf16);
  });
  return out;
}

NpyIntegerHeader parse_npy_integer_header(std::string_view text, const std::string& path) {
  NpyIntegerHeader out;
  out.shape = Parser(text, path).parse([&](std::string_view word) {
    out.format = integer_of_descriptor(word, path);
  });
  return out;
}

}  // namespace eflow::io
