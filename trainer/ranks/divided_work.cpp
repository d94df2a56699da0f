#include "eflow/trainer/ranks/divided_work.hpp"

#include <exception>

namespace eflow::trainer {

std::vector<std::string> gather_parts(comm::Communicator* ranks, const comm::Call& call,
                                      const std::function<std::string()>& part) {
  std::string mine;
  try {
    mine = str("+", part());
  } catch (const comm::PeerError&) {  // the others are in another place
    throw;
  } catch (const std::exception& error) {
    mine = str("-", error.what());
  }
  return ranks->gather(mine, call);
}

}  // namespace eflow::trainer
