// Uploads beside the work of the device: the order of driver calls with a recording driver, values
// with an emulated GPU, which copies as late as the order allows.
#define BOOST_TEST_MODULE cuda_uploads
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/transfer/upload.hpp"
#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/cuda/recorded_device.hpp"

using namespace eflow;

namespace {

struct Session : test::RecordedDevice {
  explicit Session(bool graphs = false)
      : RecordedDevice([=](jit::Options* options) { options->graphs = graphs; }) {}
  [[nodiscard]] jit::CuStream own() const {
    return static_cast<jit::CuStream>(device->stream().handle);
  }
  /// "copy", "record 1 own", "wait 1 upload": what was called since the last time. Events have the
  /// numbers in which they were first recorded.
  std::vector<std::string> order() {
    std::vector<std::string> out;
    for (const auto& [call, stream, event] : driver.ordered) {
      const std::string on = stream == own() ? "own" : "upload";
      if (call == "cuMemcpyHtoDAsync") {
        out.push_back("copy " + on);
        continue;
      }
      const int number = events.emplace(event, static_cast<int>(events.size())).first->second;
      out.push_back((call == "cuEventRecord" ? "record " : "wait ") + std::to_string(number) + " " +
                    on);
    }
    driver.ordered.clear();
    return out;
  }
  std::map<jit::CuEvent, int> events;
};

using Order = std::vector<std::string>;
const std::vector<float> kValues{1, 2, 3, 4};

}  // namespace

BOOST_AUTO_TEST_CASE(events_order_a_copy_between_the_uses_of_its_memory) {
  Session s;
  const void* first = nullptr;
  {
    const Upload upload(kValues, {4}, s.device);
    BOOST_TEST(s.order() == (Order{"copy upload", "record 0 upload"}),
               boost::test_tools::per_element());
    const Tensor x = upload.wait();
    first = x.data();
    BOOST_TEST(s.order() == (Order{"wait 0 own"}), boost::test_tools::per_element());
    BOOST_TEST((x.to_vector<float>() == kValues));
  }
  // The last use ends here.
  BOOST_TEST(s.order() == (Order{"record 1 own"}), boost::test_tools::per_element());
  const Tensor again = Upload(kValues, {4}, s.device).wait();
  BOOST_TEST(again.data() == first);
  BOOST_TEST(s.order() == (Order{"wait 1 upload", "copy upload", "record 0 upload", "wait 0 own"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_host_does_not_wait) {
  Session s;
  std::vector<Tensor> held;
  for (int i = 0; i < 20; ++i) {
    held.push_back(Upload(kValues, {4}, s.device).wait());
    if (held.size() > 2) held.erase(held.begin());
  }
  BOOST_TEST(s.driver.count("cuEventSynchronize") == 0);
  BOOST_TEST(s.driver.count("cuStreamSynchronize") == 0);
  BOOST_TEST(s.driver.pinned == 3);
}

/// Recorded work that uses an upload is not issued when the tensor is destroyed.
BOOST_AUTO_TEST_CASE(memory_is_not_reused_before_recorded_work_is_issued) {
  Session s(true);
  s.device->begin_gathering();
  const void* first = nullptr;
  {
    const Tensor x = Upload(kValues, {4}, s.device).wait();
    first = x.data();
    s.device->fill_zero(x.data(), 16, {});
  }
  BOOST_TEST(s.order() == (Order{"copy upload", "record 0 upload", "wait 0 own"}),
             boost::test_tools::per_element());
  const Tensor second = Upload(kValues, {4}, s.device).wait();
  BOOST_TEST(second.data() != first);
  static_cast<void>(s.order());
  s.device->issue_gathered();
  BOOST_TEST(s.order() == (Order{"record 2 own"}), boost::test_tools::per_element());
  const Tensor third = Upload(kValues, {4}, s.device).wait();
  BOOST_TEST(third.data() == first);
  s.device->end_gathering();
}

BOOST_AUTO_TEST_CASE(copies_that_are_still_read_get_other_memory) {
  Session s;
  s.driver.failing["cuEventQuery"] = jit::cu::kNotReady;
  for (int i = 0; i < 4; ++i) static_cast<void>(Upload(kValues, {4}, s.device));
  BOOST_TEST(s.driver.pinned == 4);
  BOOST_TEST(s.driver.count("cuEventSynchronize") == 0);
  // The number of blocks is bounded: then the host waits for the oldest.
  static_cast<void>(Upload(kValues, {4}, s.device));
  BOOST_TEST(s.driver.pinned == 4);
  BOOST_TEST(s.driver.count("cuEventSynchronize") == 1);
}

BOOST_AUTO_TEST_CASE(blocks_of_changing_sizes_do_not_accumulate) {
  Session s;
  for (std::int64_t n = 1; n <= 40; ++n) {
    const std::vector<float> values(static_cast<std::size_t>(n) * 1000, 1.0f);
    static_cast<void>(Upload(values, {n * 1000}, s.device).wait());
  }
  BOOST_TEST(s.driver.pinned == 4);
  s.device.reset();
  BOOST_TEST(s.driver.pinned == 0);
  BOOST_TEST(s.driver.events == 0);
  BOOST_TEST(s.driver.streams == 0);
  BOOST_TEST(s.driver.allocated.empty());
}

BOOST_AUTO_TEST_CASE(failures_are_told_and_leave_nothing) {
  for (const char* call : {"cuStreamCreate", "cuEventCreate", "cuMemAllocAsync", "cuMemAllocHost",
                           "cuMemcpyHtoDAsync", "cuEventRecord"}) {
    Session s;
    s.driver.failing[call] = 700;
    try {
      static_cast<void>(Upload(kValues, {4}, s.device));
      BOOST_ERROR(call << " did not fail");
    } catch (const DeviceError& e) {
      BOOST_TEST(std::string(e.what()).find(call) != std::string::npos, e.what());
    }
    s.driver.failing.clear();
    BOOST_TEST((Upload(kValues, {4}, s.device).wait().to_vector<float>() == kValues), call);
    s.device.reset();
    BOOST_TEST(s.driver.pinned == 0, call);
    BOOST_TEST(s.driver.allocated.empty(), call);
  }
  Session s;
  BOOST_CHECK_THROW(Upload(kValues, {5}, s.device), ShapeError);
}

BOOST_DATA_TEST_CASE(values_arrive_with_and_without_graphs,
                     boost::unit_test::data::make({false, true}), graphs) {
  const test::EmulatedGpu gpu(graphs);
  const DevicePtr device = gpu.device();
  const NoGrad off;
  std::vector<Upload> ahead;
  std::vector<float> values(1000);
  const auto upload = [&](int step) {
    std::fill(values.begin(), values.end(), static_cast<float>(step));
    ahead.emplace_back(values, Shape{1000}, device);
    std::fill(values.begin(), values.end(), -1.0f);  // the caller may reuse them
  };
  upload(0);
  for (int step = 0; step < 6; ++step) {
    GatheredWork work(device);
    const Tensor x = ahead[0].wait();
    ahead.clear();
    const Tensor y = x + x;
    upload(step + 1);
    BOOST_TEST((y.to_vector<float>() == std::vector<float>(1000, 2.0f * static_cast<float>(step))));
    work.finish();
  }
}

BOOST_AUTO_TEST_CASE(a_copy_runs_beside_the_work_of_the_device) {
  const test::EmulatedGpu gpu;
  const DevicePtr device = gpu.device();
  void* const memory = device->begin_upload(kValues.data(), 16);
  std::vector<float> found(4, 9.0f);
  device->copy_out(found.data(), memory, 16, {});
  device->synchronize({});
  BOOST_TEST((found == std::vector<float>(4, 0.0f)));  // the device did not wait for the copy
  device->await_upload(memory);
  device->copy_out(found.data(), memory, 16, {});
  device->synchronize({});
  BOOST_TEST((found == kValues));
  device->release_upload(memory, 16);
}

BOOST_AUTO_TEST_CASE(on_the_cpu_values_are_copied_at_once) {
  jit::Options options;
  options.device = "cpu";
  const DevicePtr cpu = make_device(options);
  const Upload upload(kValues, {2, 2}, cpu);
  BOOST_TEST((upload.wait().to_vector<float>() == kValues));
  BOOST_TEST((Upload({}, {0, 3}, cpu).wait().shape() == Shape{0, 3}));
}
