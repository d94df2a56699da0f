#include "eflow/nn/attention/sequence_part.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"

namespace eflow::nn {

std::vector<comm::ShardRange> frames_of_ranks(std::int64_t frames, int ranks) {
  const std::int64_t pairs = (frames + 1) / 2;
  if (ranks > pairs) {
    throw InvalidArgument(str("[sequence] train.sequence is ", ranks, ", but a clip of ", frames,
                              " token frames has ", pairs,
                              " pairs of frames, and each rank needs one; use at most ", pairs));
  }
  const auto begin = [&](std::int64_t rank) {
    return std::max<std::int64_t>(0, 2 * (pairs * rank / ranks) - frames % 2);
  };
  std::vector<comm::ShardRange> all;
  for (int r = 0; r < ranks; ++r) all.push_back({begin(r), begin(r + 1)});
  return all;
}

SequencePart::SequencePart(const Grid3& grid, comm::Communicator* ranks)
    : grid_(grid), ranks_(ranks), frames_(frames_of_ranks(grid.t, ranks->size())) {
  const std::int64_t each = grid.h * grid.w;
  for (const auto& [first, last] : frames_) own_.push_back({first * each, last * each});
}

SequencePart SequencePart::kept(const Tensor& kept) const {
  SequencePart part = *this;
  const std::vector<std::int64_t> ids = kept.to_vector<std::int64_t>();
  const std::int64_t each = kept.size(1);
  for (std::int64_t b = 0; b < kept.size(0); ++b)
    part.kept_.emplace_back(ids.begin() + b * each, ids.begin() + (b + 1) * each);
  std::int64_t begin = 0;
  for (std::size_t r = 0; r < own_.size(); ++r) {
    const auto end_of = [&](const std::vector<std::int64_t>& sample) {
      return std::lower_bound(sample.begin(), sample.end(), own_[r].last) - sample.begin();
    };
    const std::int64_t end = end_of(part.kept_[0]);
    for (const auto& sample : part.kept_) {
      if (end_of(sample) == end && end > begin) continue;
      throw InvalidArgument(
          str("[sequence] rank ", r, " of a clip would keep ", end - begin,
              " tokens of one sample and ", end_of(sample) - begin,
              " of another; expected the same number, at least 1: drop.tokens = groups-3d or "
              "groups-2d"));
    }
    part.own_[r] = {begin, end};
    begin = end;
  }
  return part;
}

const comm::ShardRange& SequencePart::own_frames() const {
  return frames_[static_cast<std::size_t>(ranks_->rank())];
}

Grid3 SequencePart::own_grid() const {
  return {own_frames().count(), grid_.h, grid_.w};
}

const comm::ShardRange& SequencePart::own_tokens() const {
  return own_[static_cast<std::size_t>(ranks_->rank())];
}

int SequencePart::kept_percent() const {
  return static_cast<int>((100 * tokens() + grid_.count() / 2) / grid_.count());
}

Tensor SequencePart::own_ids(const DevicePtr& device) const {
  const comm::ShardRange& own = own_tokens();
  const std::int64_t before = own_frames().first * grid_.h * grid_.w;
  std::vector<std::int64_t> ids;
  for (const auto& sample : kept_) {
    for (std::int64_t i = own.first; i < own.last; ++i)
      ids.push_back(sample[static_cast<std::size_t>(i)] - before);
  }
  return Tensor::from(ids, {static_cast<std::int64_t>(kept_.size()), own.count()}, device);
}

Tensor SequencePart::positions(const comm::ShardRange& tokens, const DevicePtr& device) const {
  if (kept_.empty()) return {};
  std::vector<std::int64_t> all;
  for (const auto& sample : kept_)
    all.insert(all.end(), sample.begin() + tokens.first, sample.begin() + tokens.last);
  return Tensor::from(all, {static_cast<std::int64_t>(kept_.size()), tokens.count()}, device);
}

TokenDivision SequencePart::all_keys() const {
  return {own_, std::vector<comm::ShardRange>(own_.size(), {0, tokens()})};
}

TokenDivision SequencePart::window(std::int64_t radius, WindowIndex index) const {
  TokenDivision division{own_, {}};
  const std::int64_t each = grid_.h * grid_.w;
  for (std::size_t r = 0; r < own_.size(); ++r) {
    const bool by_order = kept_.empty() || index == WindowIndex::kCompact;
    if (by_order) {
      division.reach.push_back({std::max<std::int64_t>(0, own_[r].first - radius),
                                std::min(tokens(), own_[r].last + radius)});
    } else {
      division.reach.push_back(
          between(frames_[r].first * each - radius, frames_[r].last * each + radius));
    }
  }
  return division;
}

comm::ShardRange SequencePart::between(std::int64_t begin, std::int64_t end) const {
  comm::ShardRange all{tokens(), 0};
  for (const auto& sample : kept_) {
    const auto at = [&](std::int64_t position) {
      return std::lower_bound(sample.begin(), sample.end(), position) - sample.begin();
    };
    all.first = std::min<std::int64_t>(all.first, at(begin));
    all.last = std::max<std::int64_t>(all.last, at(end));
  }
  return all;
}

}  // namespace eflow::nn
