#include "eflow/soflow/objective/token_drop.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"

namespace eflow::soflow {
namespace {

/// Tokens of which `keep` are kept.
struct Group {
  std::vector<std::int64_t> tokens;
  std::int64_t keep = 0;
};

std::string text_of(const nn::Grid3& grid) {
  return str(grid.t, "x", grid.h, "x", grid.w);
}

/// Returns (1 - ratio) size. Throws unless it is a whole number, at least 1.
std::int64_t kept_of_box(double ratio, std::int64_t size, const nn::Grid3& grid) {
  const double keep = (1 - ratio) * static_cast<double>(size);
  const auto whole = static_cast<std::int64_t>(std::llround(keep));
  if (whole >= 1 && whole <= size && std::abs(keep - static_cast<double>(whole)) < 1e-6)
    return whole;
  throw InvalidArgument(str(
      "[drop] ratio ", ratio, " keeps ", keep, " of the ", size, " tokens of a box in a grid of ",
      text_of(grid), "; expected a whole number, at least 1: ratio 0.5 or 0.75 (0.875 with ",
      name_of(DropKind::kGroups3d),
      " and an even number of token frames), or tokens = ", name_of(DropKind::kIid)));
}

void require_even(const nn::Grid3& grid) {
  if (grid.h % 2 == 0 && grid.w % 2 == 0) return;
  throw InvalidArgument(str("[drop] boxes of 2x2 tokens do not fill a grid of ", text_of(grid),
                            " tokens: expected an even height and width; choose another patch or "
                            "clip size, or tokens = ",
                            name_of(DropKind::kIid)));
}

/// Appends the boxes of the frames [first, first + frames).
void append_boxes(const nn::Grid3& grid, std::int64_t first, std::int64_t frames, double ratio,
                  std::vector<Group>* groups) {
  const std::int64_t keep = kept_of_box(ratio, 4 * frames, grid);
  for (std::int64_t h = 0; h < grid.h; h += 2) {
    for (std::int64_t w = 0; w < grid.w; w += 2) {
      Group box{{}, keep};
      for (std::int64_t i = 0; i < 4 * frames; ++i) {
        const std::int64_t t = first + i / 4, y = h + i / 2 % 2, x = w + i % 2;
        box.tokens.push_back((t * grid.h + y) * grid.w + x);
      }
      groups->push_back(std::move(box));
    }
  }
}

std::vector<Group> boxes(const TokenDrop& drop, const nn::Grid3& grid) {
  require_even(grid);
  std::vector<Group> groups;
  std::int64_t t = 0;
  if (drop.kind == DropKind::kGroups3d) {
    for (t = grid.t % 2; t < grid.t; t += 2) append_boxes(grid, t, 2, drop.ratio, &groups);
    if (grid.t % 2 == 1) append_boxes(grid, 0, 1, drop.ratio, &groups);
    return groups;
  }
  for (; t < grid.t; ++t) append_boxes(grid, t, 1, drop.ratio, &groups);
  return groups;
}

std::vector<Group> groups_of(const TokenDrop& drop, const nn::Grid3& grid) {
  if (drop.kind != DropKind::kIid) return boxes(drop, grid);
  if (!(drop.ratio >= 0 && drop.ratio < 1)) {
    throw InvalidArgument(str("[drop] ratio must be in [0, 1), found ", drop.ratio));
  }
  Group all;
  all.tokens.resize(static_cast<std::size_t>(grid.count()));
  std::iota(all.tokens.begin(), all.tokens.end(), 0);
  const double dropped = drop.ratio * static_cast<double>(grid.count());
  all.keep = grid.count() - static_cast<std::int64_t>(std::floor(dropped));
  return {all};
}

/// Appends the `keep` tokens with the smallest u. Since the u are independent and uniform, this is
/// a uniform choice without replacement.
void append_choice(const Group& group, const double* u, std::vector<std::int64_t>* kept) {
  std::vector<std::int64_t> tokens = group.tokens;
  const auto end = tokens.begin() + group.keep;
  std::partial_sort(tokens.begin(), end, tokens.end(), [u](std::int64_t a, std::int64_t b) {
    return u[a] != u[b] ? u[a] < u[b] : a < b;
  });
  kept->insert(kept->end(), tokens.begin(), end);
}

}  // namespace

std::string_view name_of(DropKind kind) {
  return enum_name(kind, kDropNames);
}

DropKind drop_kind(std::string_view name) {
  return enum_from_name<DropKind>("drop", name, kDropNames);
}

std::int64_t kept_count(const TokenDrop& drop, const nn::Grid3& grid) {
  if (drop.kind == DropKind::kNone) return grid.count();
  std::int64_t count = 0;
  for (const Group& group : groups_of(drop, grid)) count += group.keep;
  return count;
}

Tensor draw_kept(const TokenDrop& drop, const nn::Grid3& grid, const RandomKey& key,
                 const std::vector<std::int64_t>& sample_ids, const DevicePtr& device) {
  if (drop.kind == DropKind::kNone) return {};
  const std::vector<Group> groups = groups_of(drop, grid);
  const auto batch = static_cast<std::int64_t>(sample_ids.size());
  const auto u = uniform_values({batch, grid.count()}, key, sample_ids);
  std::vector<std::int64_t> kept;
  for (std::int64_t b = 0; b < batch; ++b) {
    const auto begin = static_cast<std::ptrdiff_t>(kept.size());
    for (const Group& group : groups) append_choice(group, u.data() + b * grid.count(), &kept);
    std::sort(kept.begin() + begin, kept.end());
  }
  const NoGrad off;
  return Tensor::from(kept, {batch, static_cast<std::int64_t>(kept.size()) / batch}, device);
}

bool DropSchedule::drops_at(std::int64_t step) const {
  if (until > 0 && step >= until) return false;
  return dense_every <= 0 || (step + 1) % dense_every != 0;
}

}  // namespace eflow::soflow
