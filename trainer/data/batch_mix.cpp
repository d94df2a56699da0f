#include "eflow/trainer/data/batch_mix.hpp"

#include <algorithm>

#include "eflow/io/dataset/order.hpp"

namespace eflow::trainer {

BatchMix::BatchMix(const std::vector<double>& shares, std::int64_t batch, std::uint64_t seed)
    : schedule_(shares), sources_(shares.size() + 1), batch_(batch), seed_(seed) {}

std::int64_t BatchMix::count(std::size_t source, std::int64_t step) const {
  return schedule_.before(source, (step + 1) * batch_) - schedule_.before(source, step * batch_);
}

BatchMix::Part BatchMix::part(std::size_t source, std::int64_t step, std::int64_t first,
                              std::int64_t count) const {
  Part part;
  const std::int64_t begin = schedule_.before(source, step * batch_);
  if (sources_ == 1) {
    for (std::int64_t i = first; i < first + count; ++i) {
      part.places.push_back(i);
      part.positions.push_back(begin + i);
    }
    return part;
  }
  // A permutation of the places; source 1 takes the first ones of it, then source 2, and so on.
  const io::SampleOrder order(
      batch_, seed_ ^ 0x9e3779b97f4a7c15ull * (static_cast<std::uint64_t>(step) + 1));
  std::int64_t at = 0;
  for (std::size_t other = 1; other < (source == 0 ? sources_ : source); ++other)
    at += this->count(other, step);
  const std::int64_t own = this->count(source, step);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < own; ++i) places.push_back(order.index_at(at + i));
  std::sort(places.begin(), places.end());
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < first || places[i] >= first + count) continue;
    part.places.push_back(places[i]);
    part.positions.push_back(begin + static_cast<std::int64_t>(i));
  }
  return part;
}

}  // namespace eflow::trainer
