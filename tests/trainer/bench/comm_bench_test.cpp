// The measurement of messages: every size and operation, with the same figures on all ranks.
#define BOOST_TEST_MODULE comm_bench
#include "eflow/trainer/bench/comm_bench.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "eflow/core/comm/local_channel.hpp"

using namespace eflow;
using namespace eflow::trainer;

BOOST_AUTO_TEST_CASE(all_ranks_agree_on_the_figures) {
  comm::run_ranks(3, [](comm::Communicator& ranks) {
    const CommBench bench = measure_comm(&ranks, 1U << 16);
    std::string mine = str(bench.ranks, " ", bench.latency_s(), " ", bench.bytes_per_s());
    std::set<std::string> operations;
    for (const CommRow& row : bench.rows) {
      mine += str(" ", row.operation, " ", row.bytes, " ", row.seconds);
      operations.insert(row.operation);
      if (!(row.seconds > 0)) throw InvalidArgument("no time: " + mine);
    }
    if (operations.size() != 3 || bench.rows.front().bytes != 8 || !(bench.bytes_per_s() > 0))
      throw InvalidArgument("wrong rows: " + mine);
    for (const std::string& other : ranks.gather(mine, {"figures"}))
      if (other != mine) throw InvalidArgument("other figures:\n" + other + "\n" + mine);
  });
}

BOOST_AUTO_TEST_CASE(one_rank_has_nothing_to_measure) {
  comm::Communicator alone;
  BOOST_CHECK_THROW(static_cast<void>(measure_comm(&alone, 1024)), InvalidArgument);
}
