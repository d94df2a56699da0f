#include "eflow/trainer/ranks/divided_work.hpp"

#include <exception>

namespace eflow::trainer {

std::vector<std::string> gather_parts(const RankGrid& grid, const comm::Call& call,
                                      const std::function<std::string()>& part) {
  std::string mine;
  try {
    mine = str("+", part());
    if (!grid.leads()) mine.resize(1);
  } catch (const comm::PeerError&) {  // the others are in another place
    throw;
  } catch (const std::exception& error) {
    if (grid.lane_ranks() != nullptr) throw;
    mine = str("-", error.what());
  }
  return grid.all().gather(mine, call);
}

}  // namespace eflow::trainer
