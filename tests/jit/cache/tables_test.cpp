// The tables shared by threads (compiled kernels by KernelSpec, results by key) and the thread pool.
#define BOOST_TEST_MODULE tables
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "eflow/jit/cache/mem_cache.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/kernel/spec_table.hpp"
#include "eflow/tests/support/jit/jit_samples.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

KernelSpec spec(int i) {
  return KernelSpec("k", {DType::kF32}, {i});
}

}  // namespace

BOOST_AUTO_TEST_CASE(lookups_run_beside_insertions) {
  constexpr int kCount = 5000;  // more than there are buckets
  SpecTable<HostKernel> table;
  std::atomic<bool> wrong{false};
  {
    std::jthread reader([&] {
      for (int found = 0; found < kCount;) {
        const HostKernel* kernel = table.find(spec(found));
        if (kernel == nullptr) continue;
        if (kernel->args_bytes != static_cast<std::size_t>(found)) wrong = true;
        ++found;
      }
    });
    for (int i = 0; i < kCount; ++i) table.insert(spec(i), {nullptr, static_cast<std::size_t>(i)});
  }
  BOOST_TEST(!wrong);
  const HostKernel* first = table.find(spec(0));
  table.insert(spec(0), {nullptr, 77});
  BOOST_TEST(table.find(spec(0)) == first);
  BOOST_TEST(first->args_bytes == 0u);
  BOOST_TEST(table.find(spec(kCount)) == nullptr);
}

BOOST_AUTO_TEST_CASE(results_are_made_once_and_failures_forgotten) {
  MemCache<int> cache;
  const Key key = test::sample_artifact(1).key;
  std::atomic<int> made{0};
  std::atomic<int> failures{0};
  const auto ask = [&](bool fail) {
    try {
      return *cache.get_or_make(key, "a request", [&] {
        ++made;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        if (fail) throw DeviceError("it failed");
        return std::make_shared<const int>(7);
      });
    } catch (const Error& e) {
      failures += std::string_view(e.what()) == "it failed";
      return 0;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) threads.emplace_back([&] { static_cast<void>(ask(true)); });
  }
  BOOST_TEST(failures == 4);
  const int tries = made;
  BOOST_TEST(ask(false) == 7);
  BOOST_TEST(ask(false) == 7);
  BOOST_TEST(made == tries + 1);
  // The same key with another request simulates a hash collision.
  const auto other =
      cache.get_or_make(key, "another request", [] { return std::make_shared<const int>(8); });
  BOOST_TEST(*other == 8);
  BOOST_TEST(ask(false) == 7);
}

BOOST_AUTO_TEST_CASE(the_pool_covers_a_range_once) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const std::int64_t count : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
      pool.run(
          count,
          [](void* context, std::int64_t begin, std::int64_t end, char* scratch) {
            auto& all = *static_cast<std::vector<std::atomic<int>>*>(context);
            scratch[0] = 1;
            scratch[ThreadPool::kScratchBytes - 1] = 1;
            for (std::int64_t i = begin; i < end; ++i) ++all[static_cast<std::size_t>(i)];
          },
          &seen);
      for (const auto& n : seen) BOOST_REQUIRE(n == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(callers_of_one_pool_take_turns) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  {
    std::vector<std::jthread> callers;
    for (int c = 0; c < 4; ++c) {
      callers.emplace_back([&] {
        for (int n = 0; n < 50; ++n) {
          pool.run(
              100,
              [](void* context, std::int64_t begin, std::int64_t end, char*) {
                *static_cast<std::atomic<std::int64_t>*>(context) += end - begin;
              },
              &sum);
        }
      });
    }
  }
  BOOST_TEST(sum == 4 * 50 * 100);
  BOOST_CHECK_THROW(ThreadPool(-1), InvalidArgument);
}
