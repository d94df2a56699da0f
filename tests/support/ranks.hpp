#pragma once
// For tests whose ranks are threads (comm::run_ranks).

#include <boost/test/unit_test.hpp>
#include <functional>
#include <mutex>
#include <string>

#include "eflow/core/comm/communicator.hpp"

namespace eflow::test {

/// Boost's checks are not for several threads: collects what went wrong instead.
class Faults {
 public:
  void check(bool good, const std::string& what) {
    if (good) return;
    const std::lock_guard lock(mutex_);
    texts_ += what + "\n";
  }
  ~Faults() { BOOST_CHECK_EQUAL(texts_, ""); }

 private:
  std::mutex mutex_;
  std::string texts_;
};

/// The message of the PeerError that body() throws; "" if it throws none.
inline std::string peer_error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const comm::PeerError& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace eflow::test
