#include "eflow/io/dataset/npy_header.hpp"

#include <charconv>
#include <cstdint>

#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

/// A left-to-right parser of the literal; rejects anything unexpected with its position.
class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  NpyHeader parse();

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

DType dtype_of_descriptor(std::string_view descriptor, const std::string& path) {
  if (descriptor == "|u1" || descriptor == "<u1") return DType::kU8;
  if (descriptor == "<i4") return DType::kI32;
  if (descriptor == "<i8") return DType::kI64;
  if (descriptor == "<f4") return DType::kF32;
  if (descriptor == "<f8") return DType::kF64;
  throw InvalidArgument(str("[npy] ", path, " holds '", descriptor,
                            "'; only little-endian u1, i4, i8, f4 and f8 are supported. Convert "
                            "it in Python: np.save(path, array.astype('<f4'))"));
}

NpyHeader Parser::parse() {
  NpyHeader out;
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
      out.dtype = dtype_of_descriptor(quoted(), path_);
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      fortran = boolean();
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      out.shape = tuple();
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
  if (fortran && out.shape.rank() > 1) {
    throw InvalidArgument(str("[npy] ", path_,
                              " is in Fortran order; only C order is supported. Convert "
                              "it in Python: np.save(path, np.ascontiguousarray(array))"));
  }
  return out;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& path) {
  return Parser(text, path).parse();
}

}  // namespace eflow::io
