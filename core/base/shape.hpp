#pragma once
// Sizes of a tensor, outermost dimension first, with the broadcasting rule of NumPy. At most kMaxRank dimensions, held inline.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace eflow {

/// Up to kMaxRank 64-bit numbers, one a dimension. Used for shapes and for strides (in elements).
class Dims {
 public:
  static constexpr int kMaxRank = 8;

  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values);
  explicit Dims(std::span<const std::int64_t> values);

  [[nodiscard]] int rank() const { return rank_; }
  /// Dimension i; negative i counts from the end. Throws InvalidArgument if there is no such dimension.
  [[nodiscard]] std::int64_t operator[](int i) const { return values_[index(i)]; }
  std::int64_t& operator[](int i) { return values_[index(i)]; }
  /// i as a position in [0, rank): resolves negative i. Throws InvalidArgument.
  [[nodiscard]] int axis(int i) const { return static_cast<int>(index(i)); }

  void push_back(std::int64_t value);
  void insert(int position, std::int64_t value);
  void erase(int position);

  [[nodiscard]] const std::int64_t* begin() const { return values_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return values_.data() + rank_; }
  [[nodiscard]] std::span<const std::int64_t> span() const { return {begin(), end()}; }
  friend bool operator==(const Dims& a, const Dims& b);

 private:
  [[nodiscard]] std::size_t index(int i) const;
  std::array<std::int64_t, kMaxRank> values_{};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Dims& dims);

using Shape = Dims;
using Strides = Dims;

/// Product of the sizes; 1 for a scalar. Throws InvalidArgument where it does not fit 63 bits or a size is negative.
[[nodiscard]] std::int64_t element_count(const Shape& shape);
/// Row-major strides, in elements.
[[nodiscard]] Strides contiguous_strides(const Shape& shape);
/// The shape that both broadcast to. Throws ShapeError naming `where` when they do not.
[[nodiscard]] Shape broadcast_shapes(const Shape& a, const Shape& b, const char* where);

}  // namespace eflow
