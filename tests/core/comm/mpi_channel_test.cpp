// Ranks that mpirun starts. The cases start this program again, under mpirun; without MPI they check
// what it says instead.
#define BOOST_TEST_MODULE mpi_channel
#include "eflow/core/comm/mpi_channel.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <numeric>

#include "eflow/core/comm/tree_reduce.hpp"

using namespace eflow;
using namespace eflow::comm;

namespace {

bool is_child() {
  return std::getenv("EFLOW_TEST_CHILD") != nullptr;
}

bool has_mpirun() {
  return !mpi_version().empty() && std::system("command -v mpirun >/dev/null") == 0;
}

/// Runs this case on `ranks` ranks; the exit status of mpirun, or -1 if there is no mpirun.
int run_self(int ranks) {
  const auto& unit = boost::unit_test::framework::current_test_case();
  const std::string command =
      str("env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 EFLOW_TEST_CHILD=1 ",
          "ASAN_OPTIONS=detect_leaks=0 timeout 100 mpirun --oversubscribe -n ", ranks, " ",
          boost::unit_test::framework::master_test_suite().argv[0],
          " --log_level=error --run_test=", unit.p_name.get(), " 2>&1");
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(without_a_launcher_there_is_one_rank) {
  BOOST_CHECK_EQUAL(launched_ranks(), 1);
  BOOST_CHECK_EQUAL(local_rank().size, 1);
  setenv("OMPI_COMM_WORLD_SIZE", "3", 1);
  BOOST_CHECK_EQUAL(launched_ranks(), 3);
  unsetenv("OMPI_COMM_WORLD_SIZE");
  setenv("PMI_SIZE", "5", 1);
  BOOST_CHECK_EQUAL(launched_ranks(), 5);
  unsetenv("PMI_SIZE");
  // A batch script of Slurm is not a rank.
  setenv("SLURM_NTASKS", "4", 1);
  BOOST_CHECK_EQUAL(launched_ranks(), 1);
  setenv("SLURM_STEP_ID", "0", 1);
  setenv("PMIX_RANK", "2", 1);
  BOOST_CHECK_EQUAL(launched_ranks(), 4);
  for (const char* name : {"SLURM_NTASKS", "SLURM_STEP_ID", "PMIX_RANK"}) unsetenv(name);
}

BOOST_AUTO_TEST_CASE(collectives_deliver_and_sum_by_the_tree) {
  if (!is_child()) {
    if (!has_mpirun()) return;
    for (const int ranks : {1, 2, 3, 4}) BOOST_CHECK_EQUAL(run_self(ranks), 0);
    return;
  }
  Communicator ranks(connect_mpi(), std::chrono::seconds(30));
  BOOST_CHECK_EQUAL(ranks.size(), launched_ranks());
  BOOST_CHECK_EQUAL(local_rank().size, ranks.size());

  const auto texts = ranks.gather(str("from ", ranks.rank()), {"texts"});
  for (int r = 0; r < ranks.size(); ++r)
    BOOST_CHECK_EQUAL(texts[static_cast<std::size_t>(r)], str("from ", r));

  // Larger than any eager limit, so that the bytes take the other way through MPI.
  std::vector<double> values(300000);
  std::iota(values.begin(), values.end(), ranks.rank());
  all_reduce(&ranks, std::span<double>(values), {"sum"});
  const double size = ranks.size(), offsets = size * (size - 1) / 2;
  bool right = true;
  for (std::size_t i = 0; i < values.size(); ++i)
    right = right && values[i] == size * static_cast<double>(i) + offsets;
  BOOST_CHECK(right);

  BOOST_CHECK(ranks.any(ranks.rank() == 0, {"flag"}));
  for (int n = 0; n < 200; ++n) ranks.barrier({"barrier", n});
}

// Two pairs and the whole at the same time.
BOOST_AUTO_TEST_CASE(groups_have_messages_of_their_own) {
  if (!is_child()) {
    if (has_mpirun()) BOOST_CHECK_EQUAL(run_self(4), 0);
    return;
  }
  Communicator ranks(connect_mpi(), std::chrono::seconds(30));
  const int me = ranks.rank(), first = me / 2 * 2;
  const auto pair = ranks.group(first, 2);
  for (int n = 0; n < 20; ++n) {
    std::vector<int> all(4), two(2);
    all[static_cast<std::size_t>(me)] = two[static_cast<std::size_t>(me - first)] = 10 * n + me;
    const auto parts_of = [](std::vector<int>& values) {
      std::vector<std::span<std::byte>> parts;
      for (int& value : values) parts.push_back(std::as_writable_bytes(std::span<int>(&value, 1)));
      return parts;
    };
    const auto of_all = parts_of(all), of_two = parts_of(two);
    Pending whole = ranks.all_gather(of_all[static_cast<std::size_t>(me)], of_all, {"all", n});
    pair->all_gather(of_two[static_cast<std::size_t>(me - first)], of_two, {"two", n}).wait();
    whole.wait();
    for (int r = 0; r < 4; ++r) BOOST_CHECK_EQUAL(all[static_cast<std::size_t>(r)], 10 * n + r);
    for (int r = 0; r < 2; ++r)
      BOOST_CHECK_EQUAL(two[static_cast<std::size_t>(r)], 10 * n + first + r);
  }
}

BOOST_AUTO_TEST_CASE(a_mismatch_is_an_error_and_ends_the_job) {
  if (!is_child()) {
    if (has_mpirun()) BOOST_CHECK_EQUAL(run_self(3), 7);
    return;
  }
  Communicator ranks(connect_mpi(), std::chrono::seconds(30));
  abandon_mpi();
  try {
    ranks.barrier({ranks.rank() == 1 ? "metrics" : "gradients", 2});
  } catch (const PeerError& error) {
    const std::string text = error.what();
    const bool both = text.find("'gradients' of step 2") != std::string::npos &&
                      text.find("'metrics' of step 2") != std::string::npos;
    abort_job(both ? 7 : 1);
  }
  abort_job(1);
}

BOOST_AUTO_TEST_CASE(a_build_without_mpi_says_so) {
  if (!mpi_version().empty()) return;
  BOOST_CHECK_EXCEPTION(static_cast<void>(connect_mpi()), InvalidArgument,
                        [](const InvalidArgument& error) {
                          return std::string(error.what()).find("EFLOW_MPI") != std::string::npos;
                        });
}
