#pragma once
// Tensor shapes and strides, outermost dimension first, stored inline, with NumPy's broadcasting
// rule.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Up to kMaxRank 64-bit values, one per dimension: a shape, or strides in elements. A value type.
/// Exceeding kMaxRank throws InvalidArgument.
class Dims {
 public:
  static constexpr int kMaxRank = 8;

  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values);
  explicit Dims(std::span<const std::int64_t> values);

  [[nodiscard]] int rank() const { return rank_; }
  /// Returns dimension i; negative i counts from the end. Throws InvalidArgument if i is out of
  /// range.
  [[nodiscard]] std::int64_t operator[](int i) const { return values_[index(i)]; }
  std::int64_t& operator[](int i) { return values_[index(i)]; }
  /// Resolves a possibly negative axis to [0, rank). Throws InvalidArgument if out of range.
  [[nodiscard]] int axis(int i) const { return static_cast<int>(index(i)); }

  /// Appends a dimension.
  void push_back(std::int64_t value);
  /// Inserts a dimension before `position`.
  void insert(int position, std::int64_t value);

  [[nodiscard]] const std::int64_t* begin() const { return values_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return values_.data() + rank_; }
  [[nodiscard]] std::span<const std::int64_t> span() const { return {begin(), end()}; }
  [[nodiscard]] bool operator==(const Dims& other) const;

 private:
  [[nodiscard]] std::size_t index(int i) const;
  std::array<std::int64_t, kMaxRank> values_{};
  int rank_ = 0;
};

/// Prints "[2, 3, 4]".
std::ostream& operator<<(std::ostream& out, const Dims& dims);

using Shape = Dims;
using Strides = Dims;

/// Returns the product of the sizes; 1 for rank 0. Throws InvalidArgument if a size is negative or
/// the product exceeds 63 bits.
[[nodiscard]] std::int64_t element_count(const Shape& shape);
/// Returns row-major strides in elements.
[[nodiscard]] Strides contiguous_strides(const Shape& shape);
/// Returns the shape that both shapes broadcast to. `where` names the op in messages. Throws
/// ShapeError if they do not broadcast.
[[nodiscard]] Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where);

}  // namespace eflow

EFLOW_EXPORT_END
