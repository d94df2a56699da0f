#include "eflow/core/base/shape.hpp"

#include <algorithm>
#include <ostream>

#include "eflow/core/base/error.hpp"

namespace eflow {

Dims::Dims(std::initializer_list<std::int64_t> values)
    : Dims(std::span<const std::int64_t>(values.begin(), values.size())) {}

Dims::Dims(std::span<const std::int64_t> values) {
  for (const std::int64_t v : values) push_back(v);
}

std::size_t Dims::index(int i) const {
  const int resolved = i < 0 ? i + rank_ : i;
  if (resolved < 0 || resolved >= rank_) {
    throw InvalidArgument(
        str("[shape] dimension ", i, " of ", *this, " is out of range; its rank is ", rank_));
  }
  return static_cast<std::size_t>(resolved);
}

void Dims::push_back(std::int64_t value) {
  if (rank_ == kMaxRank) {
    throw InvalidArgument(str("[shape] more than ", kMaxRank, " dimensions"));
  }
  values_[static_cast<std::size_t>(rank_++)] = value;
}

void Dims::insert(int position, std::int64_t value) {
  push_back(value);
  const int at = static_cast<int>(index(position));
  std::rotate(values_.begin() + at, values_.begin() + rank_ - 1, values_.begin() + rank_);
}

bool Dims::operator==(const Dims& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '[';
  for (int i = 0; i < dims.rank(); ++i) out << (i ? ", " : "") << dims[i];
  return out << ']';
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t d : shape) {
    if (d < 0 || __builtin_mul_overflow(n, d, &n)) {
      throw InvalidArgument(str("[shape] ", shape, " has a negative size or too many elements"));
    }
  }
  return n;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  std::int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  for (int i = 1; i <= shorter.rank(); ++i) {
    const std::int64_t x = longer[-i], y = shorter[-i];
    if (x != y && x != 1 && y != 1) {
      throw ShapeError(str("[", where, "] shapes ", a, " and ", b, " do not broadcast: dimension ",
                           -i, " is ", a[-i], " and ", b[-i]));
    }
    out[-i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace eflow
