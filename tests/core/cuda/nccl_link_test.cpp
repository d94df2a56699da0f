// Messages between the memory of GPUs, over a stand-in for NCCL that checks NCCL's rules. The ranks
// are threads with one emulated GPU, whose kernels run; where only calls matter, a driver records
// them or executes nothing.
#define BOOST_TEST_MODULE nccl_link
#include "eflow/core/cuda/nccl_link.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <mutex>
#include <thread>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/comm/tree_reduce.hpp"
#include "eflow/core/sequence/tensor_messages.hpp"
#include "eflow/core/sequence/tensor_reduce.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"
#include "eflow/tests/support/cuda/stand_in_nccl/stand_in.hpp"
#include "eflow/tests/support/ranks.hpp"

using namespace eflow;
using namespace eflow::comm;
using test::contains;
using test::Faults;
using test::peer_error_of;

namespace {

constexpr std::chrono::seconds kLong{60};
constexpr std::chrono::milliseconds kShort{400};

/// A device whose options name the stand-in.
DevicePtr device_with_nccl(jit::Options options) {
  options.nccl_library = EFLOW_STAND_IN_NCCL;
  return make_device(options);
}

/// An emulated GPU and the stand-in, which moves its memory.
struct Emulated {
  test::EmulatedGpu gpu;
  test::StandInNccl nccl{EFLOW_STAND_IN_NCCL, &gpu.api()};
  DevicePtr device = device_with_nccl(gpu.options());
  std::string violations = nccl.violations();

  /// No rule was broken, and nothing was left behind.
  void check() const {
    BOOST_TEST(nccl.violations() == violations);
    BOOST_TEST(nccl.counts().communicators == 0);
  }
};

/// Device memory that is the host's and kernels that do not run. Work on a link's stream is done
/// unless `stuck`.
struct Recorded {
  test::RecordingDriver driver;
  jit::CudaApi api = test::RecordingDriver::api();
  DevicePtr device;
  test::StandInNccl nccl{EFLOW_STAND_IN_NCCL, nullptr};
  std::string violations = nccl.violations();

  Recorded() {
    stuck = false;
    own = nullptr;
    api.kernel_parameter = nullptr;
    api.event_record = [](jit::CuEvent event, jit::CuStream stream) {
      const std::lock_guard lock(mutex);
      recorded[event] = stream;
      return 0;
    };
    api.event_query = [](jit::CuEvent event) {
      const std::lock_guard lock(mutex);
      return stuck && recorded[event] != own ? jit::cu::kNotReady : 0;
    };
    jit::Options options;
    options.cache.named = "";
    options.cuda = &api;
    options.cublas_library = "off";
    options.device = "cuda";
    device = device_with_nccl(options);
    own = static_cast<jit::CuStream>(device->stream().handle);
  }

  /// From now on, the device does not finish its messages.
  void stick() {
    const std::lock_guard lock(mutex);
    stuck = true;
    nccl.stick(true);
  }

 private:
  static inline std::mutex mutex;
  static inline std::map<jit::CuEvent, jit::CuStream> recorded;
  static inline jit::CuStream own = nullptr;
  static inline bool stuck = false;
};

/// Runs ranks that are connected by NCCL.
void run_linked(int count, const DevicePtr& device, const std::function<void(Communicator&)>& body,
                std::chrono::milliseconds deadline = kLong) {
  run_ranks(
      count,
      [&](Communicator& ranks) {
        const std::string why = why_no_nccl(&ranks, device);
        if (!why.empty()) throw InvalidArgument(why);
        ranks.set_device_link(connect_nccl(&ranks, device));
        body(ranks);
        ranks.barrier({"end"});
      },
      deadline);
}

/// Values of a rank whose sum depends on the order of addition.
template <class T>
std::vector<T> values_of(int rank, std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<T>(1.0 / (3.0 + static_cast<double>(i) + 7.1 * rank));
  return values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(sums_have_the_bits_of_the_host) {
  Emulated e;
  Faults faults;
  for (const int size : {2, 3, 4}) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{3}, std::size_t{257}}) {
      run_linked(size, e.device, [&](Communicator& ranks) {
        const auto mine = values_of<float>(ranks.rank(), count);
        std::vector<float> expected = mine;
        all_reduce(&ranks, std::span<float>(expected), {"sum on the host"});
        const auto shape = Shape{static_cast<std::int64_t>(count)};
        const Tensor x = Tensor::from(mine, shape, e.device);
        all_reduce(&ranks, x, {"sum", 1});
        faults.check(x.to_vector<float>() == expected, str("sum of ", size, " ranks"));

        const Tensor part = Tensor::from(mine, shape, e.device);
        reduce_scatter(&ranks, part, {"part of a sum", 1});
        const ShardRange own = slice_of(ranks.rank(), size, part.count());
        const auto found = part.to_vector<float>();
        faults.check(std::equal(expected.begin() + own.first, expected.begin() + own.last,
                                found.begin() + own.first),
                     "a part of the sum");

        const Tensor word = Tensor::from(mine, shape, e.device);
        broadcast(&ranks, word, size - 1, {"broadcast"});
        faults.check(word.to_vector<float>() == values_of<float>(size - 1, count), "broadcast");
      });
    }
  }
  BOOST_TEST(e.nccl.counts().messages > 0);
  e.check();
}

BOOST_AUTO_TEST_CASE(neighbours_exchange) {
  Emulated e;
  Faults faults;
  constexpr int kSize = 4;
  run_linked(kSize, e.device, [&](Communicator& ranks) {
    const int me = ranks.rank();
    const auto of = [&](int r) { return Tensor::from(values_of<double>(r, 33), {33}, e.device); };
    const Tensor mine = of(me);
    Tensor left = Tensor::zeros({33}, DType::kF64, e.device), right = left.detach();
    right = Tensor::zeros({33}, DType::kF64, e.device);
    TensorMessages messages(&ranks, {"neighbours", 3});
    if (me > 0) messages.send(me - 1, mine), messages.receive(me - 1, left);
    if (me + 1 < kSize) messages.send(me + 1, mine), messages.receive(me + 1, right);
    messages.start();
    messages.finish();
    if (me > 0)
      faults.check(left.to_vector<double>() == values_of<double>(me - 1, 33), "the left one");
    if (me + 1 < kSize)
      faults.check(right.to_vector<double>() == values_of<double>(me + 1, 33), "the right one");
  });
  e.check();
}

// Lanes and the whole, with operations of both on their way at once.
BOOST_AUTO_TEST_CASE(groups_share_the_link) {
  Emulated e;
  Faults faults;
  run_linked(4, e.device, [&](Communicator& ranks) {
    const auto lane = ranks.group(ranks.rank() / 2 * 2, 2);
    const auto mine = values_of<float>(ranks.rank(), 64);
    for (std::int64_t step = 1; step <= 3; ++step) {
      const int other = ranks.rank() ^ 1, far = (ranks.rank() + 2) % 4;
      const Tensor x = Tensor::from(mine, {64}, e.device);
      const Tensor near = Tensor::zeros({64}, DType::kF32, e.device);
      const Tensor away = Tensor::zeros({64}, DType::kF32, e.device);
      TensorMessages in_lane(lane.get(), {"in the lane", step}), across(&ranks, {"across", step});
      in_lane.send(lane->rank() ^ 1, x);
      in_lane.receive(lane->rank() ^ 1, near);
      across.send(far, x);
      across.receive(far, away);
      across.start();
      in_lane.start();
      in_lane.finish();  // the other one is earlier in the device's order
      across.finish();
      faults.check(near.to_vector<float>() == values_of<float>(other, 64), "in the lane");
      faults.check(away.to_vector<float>() == values_of<float>(far, 64), "across");
    }
  });
  e.check();
}

// The host waits for the other hosts, and not for the device.
BOOST_AUTO_TEST_CASE(messages_do_not_wait_for_the_device) {
  Emulated e;
  std::mutex mutex;
  int waits = 0;
  run_linked(2, e.device, [&](Communicator& ranks) {
    const Tensor x = Tensor::from(values_of<float>(ranks.rank(), 100), {100}, e.device);
    ranks.barrier({"begin"});
    const int before = e.gpu.waits();
    for (std::int64_t step = 1; step <= 4; ++step) all_reduce(&ranks, x, {"sum", step});
    ranks.barrier({"all done"});
    const std::lock_guard lock(mutex);
    waits += e.gpu.waits() - before;
  });
  BOOST_TEST(waits == 0);
  e.check();
}

// Each rank gathers its work into graphs; the driver refuses what a capture forbids.
BOOST_AUTO_TEST_CASE(nothing_is_called_while_work_is_captured) {
  std::string why;
  const auto driver = jit::open_cuda_api(EFLOW_DO_NOTHING_CUDA, why);
  BOOST_REQUIRE_MESSAGE(driver.has_value(), why);
  const test::StandInNccl nccl(EFLOW_STAND_IN_NCCL, &*driver);
  const std::string violations = nccl.violations();
  const int groups = nccl.counts().groups;
  jit::Options options;
  options.cache.named = "";
  options.cuda = &*driver;
  options.nvrtc = EFLOW_FAKE_NVRTC;
  options.cublas_library = "off";
  options.device = "cuda";
  options.graphs = true;
  options.nccl_library = EFLOW_STAND_IN_NCCL;
  run_ranks(2, [&](Communicator& ranks) {
    const DevicePtr device = make_device(options);
    ranks.set_device_link(connect_nccl(&ranks, device));
    for (std::int64_t step = 1; step <= 3; ++step) {
      GatheredWork gathered(device);
      const Tensor x = Tensor::full({1000}, 2.0, DType::kF32, device);
      const Tensor other = Tensor::zeros({1000}, DType::kF32, device);
      TensorMessages messages(&ranks, {"captured", step});
      messages.send(1 - ranks.rank(), x);
      messages.receive(1 - ranks.rank(), other);
      add_(x, other);
      messages.start();
      add_(x, x);  // a capture is open when the messages are handed over
      messages.finish();
      add_(x, other);
      gathered.finish();
    }
    ranks.barrier({"end"});
    ranks.set_device_link(nullptr);  // before its device
  });
  BOOST_TEST(nccl.violations() == violations);
  BOOST_TEST(nccl.counts().groups == groups + 6);
}

BOOST_AUTO_TEST_CASE(a_mismatch_never_reaches_the_device) {
  Emulated e;
  const int groups = e.nccl.counts().groups;
  const std::string error = peer_error_of([&] {
    run_linked(2, e.device, [&](Communicator& ranks) {
      const Tensor x = Tensor::zeros({ranks.is_first() ? 8 : 9}, DType::kF32, e.device);
      TensorMessages messages(&ranks, {ranks.is_first() ? "keys" : "values", 5});
      messages.send(1 - ranks.rank(), x);
      messages.receive(1 - ranks.rank(), x);
      messages.start();
      messages.finish();
    });
  });
  BOOST_TEST(contains(error, "different operations"), error);
  BOOST_TEST(contains(error, "'keys' of step 5"), error);
  BOOST_TEST(contains(error, "'values' of step 5"), error);
  BOOST_TEST(e.nccl.counts().groups == groups);
  e.check();
}

BOOST_AUTO_TEST_CASE(a_rank_that_does_not_join_is_named) {
  Emulated e;
  const std::string error = peer_error_of([&] {
    run_linked(
        2, e.device,
        [&](Communicator& ranks) {
          const Tensor x = Tensor::zeros({8}, DType::kF32, e.device);
          all_reduce(&ranks, x, {"first", 1});
          if (ranks.rank() == 1) std::this_thread::sleep_for(3 * kShort);
          all_reduce(&ranks, x, {"second", 2});
        },
        kShort);
  });
  BOOST_TEST(contains(error, "'second' of step 2"), error);
  BOOST_TEST(contains(error, "rank 1"), error);
  BOOST_TEST(contains(error, "last seen in 'first' of step 1"), error);
  BOOST_TEST(e.nccl.counts().aborts >= 2);
  e.check();
}

// All hosts have joined, and the device does not finish: the link's thread ends it.
BOOST_AUTO_TEST_CASE(a_device_that_does_not_finish_is_freed) {
  Recorded r;
  const int aborts = r.nccl.counts().aborts;
  std::mutex mutex;
  std::vector<std::string> errors, reports;
  const std::string thrown = peer_error_of([&] {
    run_linked(
        2, r.device,
        [&](Communicator& ranks) {
          ranks.on_failure = [&](const std::string& report) {
            const std::lock_guard lock(mutex);
            reports.push_back(report);
          };
          const Tensor x = Tensor::zeros({8}, DType::kF32, r.device);
          const Tensor y = Tensor::zeros({8}, DType::kF32, r.device);
          ranks.barrier({"begin"});
          r.stick();
          TensorMessages messages(&ranks, {"gradients", 7});
          messages.send(1 - ranks.rank(), x);
          messages.receive(1 - ranks.rank(), y);
          messages.start();
          messages.finish();  // the host goes on
          while (!ranks.device_link()->failure()) std::this_thread::sleep_for(kShort / 20);
          try {
            ranks.barrier({"losses", 7});
          } catch (const PeerError& error) {
            const std::lock_guard lock(mutex);
            errors.emplace_back(error.what());
            throw;
          }
        },
        kShort);
  });
  BOOST_TEST(!thrown.empty());
  BOOST_REQUIRE(errors.size() == 2u);
  bool named = false;
  for (const std::string& error : errors) {
    BOOST_TEST(contains(error, "'gradients' of step 7"), error);
    named = named || (contains(error, "on the device") && contains(error, "rank 0") &&
                      contains(error, "rank 1"));
  }
  BOOST_TEST(named, errors[0]);
  BOOST_TEST(!reports.empty());
  BOOST_TEST(r.nccl.counts().aborts == aborts + 2);
  BOOST_TEST(r.nccl.counts().communicators == 0);
  BOOST_TEST(r.nccl.violations() == r.violations);
}

BOOST_AUTO_TEST_CASE(ranks_that_do_not_connect_are_an_error) {
  Emulated e;
  const std::string error = peer_error_of([&] {
    run_ranks(
        2,
        [&](Communicator& ranks) {
          if (ranks.is_first()) {
            ranks.set_device_link(connect_nccl(&ranks, e.device));
          } else {  // takes the id, and does nothing with it
            std::vector<std::byte> id(sizeof(char[128]));
            ranks.broadcast(std::span(id), 0, {"NCCL's id"}).wait();
            std::this_thread::sleep_for(3 * kShort);
          }
        },
        kShort);
  });
  BOOST_TEST(contains(error, "for NCCL to connect 2 ranks"), error);
  BOOST_TEST(contains(error, "rank 0"), error);
  e.check();
}

BOOST_AUTO_TEST_CASE(a_rank_without_nccl_is_named) {
  const test::EmulatedGpu gpu;
  jit::Options without = gpu.options();
  without.nccl_library = "/no/such/libnccl.so";
  const DevicePtr with = device_with_nccl(gpu.options()), none = make_device(without);
  Faults faults;
  run_ranks(3, [&](Communicator& ranks) {
    const std::string why = why_no_nccl(&ranks, ranks.rank() == 2 ? none : with);
    faults.check(contains(why, "rank 2") && contains(why, "/no/such/libnccl.so"), why);
    const std::string good = why_no_nccl(&ranks, with);
    faults.check(good.empty(), good);
  });
  Communicator alone;
  BOOST_TEST(contains(why_no_nccl(&alone, default_device()), "its device is cpu"));
}

// One rank exchanges with itself, as scripts/gpu_check.sh does on a GPU.
BOOST_AUTO_TEST_CASE(a_single_rank_reaches_itself) {
  Emulated e;
  {
    Communicator alone;
    const auto link = connect_nccl(&alone, e.device);
    BOOST_TEST(link->name() == "NCCL 2.28.9");
    const auto values = values_of<float>(0, 100);
    const Tensor x = Tensor::from(values, {100}, e.device);
    const Tensor y = Tensor::zeros({100}, DType::kF32, e.device);
    const auto bytes = [](const Tensor& t) {
      return std::span(static_cast<std::byte*>(t.data()), 400);
    };
    const auto exchange = link->exchange({{0, bytes(x)}}, {{0, bytes(y)}}, {"self", 1}, 0, kLong);
    while (!exchange->start()) std::this_thread::yield();
    exchange->join();
    BOOST_TEST((y.to_vector<float>() == values));
  }
  e.check();
}
