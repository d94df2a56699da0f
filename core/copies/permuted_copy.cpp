#include "eflow/core/copies/permuted_copy.hpp"

#include <algorithm>

#include "eflow/core/copies/divisor.hpp"
#include "eflow/core/tensor/device.hpp"

namespace eflow::detail {
namespace {

struct Dim {
  std::int64_t size, x, y;  ///< strides of x and y
};
using Dims = std::vector<Dim>;
using Stride = std::int64_t Dim::*;

/// Elements that are worth an access of their own: a warp of 32 threads.
constexpr std::int64_t kRow = 32;

/// The dimensions of more than one element, adjacent ones merged where both tensors allow it. Empty if
/// one is broadcast.
Dims merged(const Shape& shape, const Strides& x, const Strides& y) {
  Dims dims;
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

std::int64_t elements_of(const Dims& dims) {
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
std::int64_t take_row(Stride stride, Dims* rest, Dims* tile) {
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

/// Writes dims, the largest stride first. Tile strides are those of `order_y`, the tile in y's order.
template <int kMost>
void write(Dims dims, Stride stride, const Dims& order_y, args::Permute::Dim (&out)[kMost]) {
  std::sort(dims.begin(), dims.end(),
            [&](const Dim& a, const Dim& b) { return a.*stride > b.*stride; });
  for (std::size_t i = 0; i < dims.size(); ++i) {
    std::int64_t place = 1;
    for (const Dim& d : order_y) place *= d.y < dims[i].y ? d.size : 1;
    out[i] = {divisor(dims[i].size), dims[i].x, dims[i].y, place};
  }
}

}  // namespace

std::optional<PermutedCopy> plan_permuted_copy(const Shape& shape, const Strides& x,
                                               const Strides& y, std::int64_t bytes) {
  constexpr std::int64_t kSector = 32;  // bytes that memory moves at once
  Dims rest = merged(shape, x, y), tile;
  const auto fastest = [&](Stride stride) {
    return std::find_if(rest.begin(), rest.end(), [&](const Dim& d) { return d.*stride == 1; });
  };
  const auto x1 = fastest(&Dim::x), y1 = fastest(&Dim::y);
  if (x1 == rest.end() || y1 == rest.end()) return {};
  if (x1 == y1 && x1->size * bytes >= kSector) return {};
  const std::int64_t along_y = take_row(&Dim::y, &rest, &tile);
  const std::int64_t along_x = take_row(&Dim::x, &rest, &tile);
  if (std::min(along_x, along_y) * bytes < kSector) return {};
  if (rest.size() > args::kMaxTilesDims || tile.size() > args::kMaxTileDims) return {};
  PermutedCopy out;
  out.tiles = elements_of(rest);
  out.args.tile_count = elements_of(tile);
  out.args.tiles_rank = static_cast<int>(rest.size());
  out.args.tile_rank = static_cast<int>(tile.size());
  write(rest, &Dim::y, {}, out.args.tiles);
  write(tile, &Dim::x, tile, out.args.by_x);
  write(tile, &Dim::y, tile, out.args.by_y);
  return out;
}

bool copy_by_tiles(const Tensor& from, const Tensor& to) {
  Device& device = *to.device();
  const auto bytes = static_cast<std::int64_t>(size_of(to.dtype()));
  if (!device.block_shape().tiles_copies || from.shape() != to.shape()) return false;
  if (from.dtype() != to.dtype() || (to.dtype() != DType::kF32 && to.dtype() != DType::kBF16))
    return false;
  std::optional<PermutedCopy> plan =
      plan_permuted_copy(to.shape(), from.strides(), to.strides(), bytes);
  if (!plan) return false;
  plan->args.x = from.data();
  plan->args.y = to.data();
  device.launch("permute", jit::KernelSpec("permute", {to.dtype()}), {plan->tiles}, plan->args);
  return true;
}

}  // namespace eflow::detail
