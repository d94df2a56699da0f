#include "eflow/core/copies/permuted_copy.hpp"

#include <algorithm>
#include <vector>

#include "eflow/core/copies/divisor.hpp"

namespace eflow::detail {
namespace {

struct Dim {
  std::int64_t size, x, y;  ///< strides of x and y
};
using DimList = std::vector<Dim>;
using Stride = std::int64_t Dim::*;

/// Elements that are worth an access of their own: a warp of 32 threads.
constexpr std::int64_t kRow = 32;

/// The dimensions of more than one element, adjacent ones merged where both tensors allow it. Empty if
/// one is broadcast.
DimList merged(const Shape& shape, const Strides& x, const Strides& y) {
  DimList dims;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 1) continue;
    if (x[d] <= 0 || y[d] <= 0) return {};
    if (!dims.empty() && dims.back().x == x[d] * shape[d] && dims.back().y == y[d] * shape[d])
      dims.back() = {dims.back().size * shape[d], x[d], y[d]};
    else
      dims.push_back({shape[d], x[d], y[d]});
  }
  return dims;
}

std::int64_t elements_of(const DimList& dims) {
  std::int64_t n = 1;
  for (const Dim& d : dims) n *= d.size;
  return n;
}

/// The largest divisor of n that is at most `most`.
std::int64_t largest_divisor(std::int64_t n, std::int64_t most) {
  for (std::int64_t d = std::min(n, most); d > 1; --d) {
    if (n % d == 0) return d;
  }
  return 1;
}

/// Moves dimensions from `rest` to `tile` until the tile has kRow elements in a row along `stride`. The
/// last of them may be split. Returns the length of that row.
std::int64_t take_row(Stride stride, DimList* rest, DimList* tile) {
  std::int64_t length = 1;
  while (length < kRow) {
    const auto next = [&](const Dim& d) { return d.*stride == length; };
    if (const auto taken = std::find_if(tile->begin(), tile->end(), next); taken != tile->end()) {
      length *= taken->size;
      continue;
    }
    const auto found = std::find_if(rest->begin(), rest->end(), next);
    if (found == rest->end()) break;
    const std::int64_t room = args::kMostTileElements / elements_of(*tile);
    const std::int64_t part =
        largest_divisor(found->size, std::min(room, std::max<std::int64_t>(2, 2 * kRow / length)));
    if (part == 1) break;
    tile->push_back({part, found->x, found->y});
    if (part == found->size) {
      rest->erase(found);
    } else {
      *found = {found->size / part, found->x * part, found->y * part};
    }
    length *= part;
  }
  return length;
}

void sort_by(Stride stride, DimList* dims) {
  std::sort(dims->begin(), dims->end(),
            [&](const Dim& a, const Dim& b) { return a.*stride > b.*stride; });
}

/// Dimensions of a tile in their order, of which `all` says what lies below each in the tile.
std::vector<args::Permute::TileDim> tile_dims(const DimList& dims, const DimList& all) {
  std::vector<args::Permute::TileDim> out;
  for (const Dim& dim : dims) {
    std::int64_t place = 1;
    for (const Dim& d : all) place *= d.y < dim.y ? d.size : 1;
    const args::Divisor by = divisor(dim.size);
    out.push_back({by.magic, by.shift, static_cast<unsigned>(dim.size),
                   static_cast<unsigned>(dim.x), static_cast<unsigned>(dim.y),
                   static_cast<unsigned>(place)});
  }
  return out;
}

/// Dimensions by descending stride of y, those merged that y walks with one stride. x is of no use.
DimList merged_for_y(DimList dims) {
  sort_by(&Dim::y, &dims);
  DimList out;
  for (const Dim& d : dims) {
    if (!out.empty() && out.back().y == d.y * d.size)
      out.back() = {out.back().size * d.size, 0, d.y};
    else
      out.push_back({d.size, 0, d.y});
  }
  return out;
}

/// Whether all offsets within a tile are numbers of 31 bits.
bool is_short(const DimList& tile) {
  std::int64_t x = 0, y = 0;
  for (const Dim& d : tile) {
    x += (d.size - 1) * d.x;
    y += (d.size - 1) * d.y;
  }
  return std::max(x, y) >> 31 == 0;
}

}  // namespace

std::optional<PermutedCopy> plan_permuted_copy(const Shape& shape, const Strides& x,
                                               const Strides& y, std::int64_t bytes) {
  constexpr std::int64_t kSector = 32;  // bytes that memory moves at once
  DimList rest = merged(shape, x, y), tile;
  const auto fastest = [&](Stride stride) {
    return std::find_if(rest.begin(), rest.end(), [&](const Dim& d) { return d.*stride == 1; });
  };
  const auto x1 = fastest(&Dim::x), y1 = fastest(&Dim::y);
  if (x1 == rest.end() || y1 == rest.end()) return {};
  if (x1 == y1 && x1->size * bytes >= kSector) return {};
  const std::int64_t along_y = take_row(&Dim::y, &rest, &tile);
  const std::int64_t along_x = take_row(&Dim::x, &rest, &tile);
  if (std::min(along_x, along_y) * bytes < kSector) return {};
  sort_by(&Dim::y, &rest);
  sort_by(&Dim::x, &tile);
  const auto by_x = tile_dims(tile, tile), by_y = tile_dims(merged_for_y(tile), tile);
  PermutedCopy out{.args = {},
                   .tiles = elements_of(rest),
                   .rank = static_cast<int>(by_x.size()),
                   .rank_of_y = static_cast<int>(by_y.size())};
  if (rest.size() > std::size(out.args.tiles) || by_x.size() > std::size(out.args.by_x) ||
      by_y.size() > std::size(out.args.by_y) || by_x.size() < 2)
    return {};
  if (!is_short(tile) || out.tiles >> 31 != 0) return {};
  out.args.tile_count = static_cast<unsigned>(elements_of(tile));
  out.args.tiles_rank = static_cast<int>(rest.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const args::Divisor by = divisor(rest[i].size);
    out.args.tiles[i] = {by.magic, by.shift, static_cast<unsigned>(by.size), rest[i].x, rest[i].y};
  }
  std::copy(by_x.begin(), by_x.end(), out.args.by_x);
  std::copy(by_y.begin(), by_y.end(), out.args.by_y);
  return out;
}

}  // namespace eflow::detail
