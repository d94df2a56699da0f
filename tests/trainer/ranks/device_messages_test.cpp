// How ranks choose between NCCL and host memory. The drivers are recorded, NCCL is a stand-in.
#define BOOST_TEST_MODULE device_messages
#include "eflow/trainer/ranks/device_messages.hpp"

#include <boost/test/unit_test.hpp>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"
#include "eflow/tests/support/cuda/stand_in_nccl/stand_in.hpp"

using namespace eflow;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Machine {
  test::RecordingDriver driver;
  jit::CudaApi api = test::RecordingDriver::api();
  test::StandInNccl nccl{EFLOW_STAND_IN_NCCL, nullptr};

  Machine() { driver.devices = 2; }
  [[nodiscard]] DevicePtr gpu(int number, const std::string& library) const {
    jit::Options options;
    options.cache.named = "";
    options.cuda = &api;
    options.cublas_library = "off";
    options.device = str("cuda:", number);
    options.nccl_library = library;
    return make_device(options);
  }
};

/// What two ranks are told, and rank 1's link. The devices are those of ranks 0 and 1.
std::vector<std::string> lines_of(const DevicePtr& first, const DevicePtr& second,
                                  std::string* link = nullptr) {
  std::vector<std::string> lines(2);
  comm::run_ranks(
      2,
      [&](comm::Communicator& ranks) {
        const DevicePtr& device = ranks.is_first() ? first : second;
        lines[static_cast<std::size_t>(ranks.rank())] = trainer::connect_devices(&ranks, device);
        const bool again = !trainer::connect_devices(&ranks, device).empty();
        if (again != (ranks.device_link() == nullptr && !first->on_host()))
          throw InvalidArgument("a second stage connects again");
        if (ranks.rank() == 1 && link != nullptr && ranks.device_link() != nullptr)
          *link = ranks.device_link()->name();
        ranks.barrier({"end"});
      },
      std::chrono::seconds(20));
  return lines;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_gpu_for_each_rank_means_nccl) {
  const Machine machine;
  std::string link;
  const auto lines =
      lines_of(machine.gpu(0, EFLOW_STAND_IN_NCCL), machine.gpu(1, EFLOW_STAND_IN_NCCL), &link);
  BOOST_TEST(lines[0] == "messages between GPUs: NCCL 2.28.9");
  BOOST_TEST(lines[1] == lines[0]);
  BOOST_TEST(link == "NCCL 2.28.9");
  BOOST_TEST(machine.nccl.counts().communicators == 0);
}

BOOST_AUTO_TEST_CASE(ranks_that_share_a_gpu_use_host_memory) {
  const Machine machine;
  const DevicePtr gpu = machine.gpu(0, EFLOW_STAND_IN_NCCL);
  const auto lines = lines_of(gpu, gpu);
  BOOST_TEST(contains(lines[0], "through host memory"), lines[0]);
  BOOST_TEST(contains(lines[0], "share a GPU"), lines[0]);
  BOOST_TEST(contains(lines[0], "rank 0") == contains(lines[0], "rank 1"));
  BOOST_TEST(lines[1] == lines[0]);
}

BOOST_AUTO_TEST_CASE(nccl_can_be_switched_off) {
  const Machine machine;
  const auto lines = lines_of(machine.gpu(0, "off"), machine.gpu(1, "off"));
  BOOST_TEST(contains(lines[0], "through host memory"), lines[0]);
  BOOST_TEST(contains(lines[0], "EFLOW_NCCL=off"), lines[0]);
}

BOOST_AUTO_TEST_CASE(a_named_library_that_a_rank_lacks_is_an_error) {
  const Machine machine;
  try {
    static_cast<void>(
        lines_of(machine.gpu(0, "/no/such/libnccl.so"), machine.gpu(1, "/no/such/libnccl.so")));
    BOOST_FAIL("no error");
  } catch (const InvalidArgument& error) {
    const std::string text = error.what();
    BOOST_TEST(contains(text, "EFLOW_NCCL=/no/such/libnccl.so"), text);
    BOOST_TEST(contains(text, "rank 0"), text);
    BOOST_TEST(contains(text, "EFLOW_NCCL=off"), text);
  }
}

BOOST_AUTO_TEST_CASE(cpus_need_no_choice) {
  const Machine machine;
  for (const std::string& line : lines_of(default_device(), default_device()))
    BOOST_TEST(line.empty());
  comm::Communicator alone;
  BOOST_TEST(trainer::connect_devices(&alone, machine.gpu(0, "")).empty());
}
