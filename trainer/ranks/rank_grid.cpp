#include "eflow/trainer/ranks/rank_grid.hpp"

namespace eflow::trainer {

RankGrid::RankGrid(comm::Communicator* all, std::int64_t sequence)
    : all_(all), sequence_(static_cast<int>(sequence)) {
  if (sequence < 1 || all->size() % sequence != 0) {
    throw InvalidArgument(str("[ranks] train.sequence: expected a divisor of the number of ranks, ",
                              all->size(), ", found ", sequence));
  }
  if (sequence > 1) lane_ranks_ = all->group(lane() * sequence_, sequence_);
}

}  // namespace eflow::trainer
