#include "eflow/trainer/guard/guarded_source.hpp"

#include <utility>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {

GuardedSource::GuardedSource(std::unique_ptr<io::ClipSource> source, std::string folder,
                             std::vector<std::int64_t> indices, std::shared_ptr<DamageList> list)
    : source_(std::move(source)),
      folder_(std::move(folder)),
      indices_(std::move(indices)),
      list_(std::move(list)) {}

std::int64_t GuardedSource::place_of(std::int64_t index) const {
  return indices_.empty() ? index : indices_.at(static_cast<std::size_t>(index));
}

bool GuardedSource::is_known(std::int64_t index, ClipPart part) const {
  return list_->contains(folder_, place_of(index), part);
}

void GuardedSource::note(std::int64_t index, ClipPart part, const char* error) const {
  list_->note({.data = folder_, .clip = place_of(index), .part = part, .error = error});
}

std::int32_t GuardedSource::read(std::int64_t index, std::span<float> clip) const {
  const std::int64_t count = size();
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t at = (index + n) % count;
    if (is_known(at, ClipPart::kValues)) continue;
    try {
      return source_->read(at, clip);
    } catch (const CorruptData& error) {
      note(at, ClipPart::kValues, error.what());
    }
  }
  throw CorruptData(str("[data] ", folder_, ": all ", count, " clips are damaged"));
}

void GuardedSource::read_context(std::int64_t index, std::uint64_t draw,
                                 std::span<float> context) const {
  const std::int64_t count = size();
  std::int64_t at = index;
  for (std::int64_t n = 0; n < count && is_known(at, ClipPart::kValues); ++n) at = (at + 1) % count;
  if (!is_known(at, ClipPart::kCaptions)) {
    try {
      return source_->read_context(at, draw, context);
    } catch (const CorruptData& error) {
      note(at, ClipPart::kCaptions, error.what());
    }
  }
  source_->read_null_context(context);
}

bool GuardedSource::is_damaged(std::int64_t index) const {
  return is_known(index, ClipPart::kValues) || is_known(index, ClipPart::kCaptions);
}

bool GuardedSource::meet(std::int64_t index, std::int64_t step) const {
  return list_->meet(folder_, place_of(index), step);
}

}  // namespace eflow::trainer
