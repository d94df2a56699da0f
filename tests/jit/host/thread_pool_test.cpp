#define BOOST_TEST_MODULE thread_pool
#include "eflow/jit/host/thread_pool.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

struct Visits {
  std::vector<int> count;
  static void work(void* context, std::int64_t begin, std::int64_t end, char* scratch) {
    auto& visits = *static_cast<Visits*>(context);
    scratch[0] = scratch[ThreadPool::kScratchBytes - 1] =
        1;  // the arena is ours alone, from end to end
    for (std::int64_t i = begin; i < end; ++i) ++visits.count[static_cast<std::size_t>(i)];
  }
};

BOOST_AUTO_TEST_CASE(every_item_is_visited_once) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    BOOST_TEST(pool.size() == threads);
    for (const std::size_t count : {0u, 1u, 2u, 5u, 1000u}) {
      Visits visits{std::vector<int>(count)};
      pool.run(static_cast<std::int64_t>(count), Visits::work, &visits);
      BOOST_TEST(visits.count == std::vector<int>(count, 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(many_short_launches_from_several_callers) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        Visits visits{std::vector<int>(17)};
        pool.run(17, Visits::work, &visits);
        if (visits.count != std::vector<int>(17, 1)) ++wrong;
      }
    });
  }
  for (std::thread& t : callers) t.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(a_thread_that_is_held_up_keeps_one_part_only) {
  struct Held {
    std::atomic<int> others{0};
    bool in_time = true;
    static void work(void* context, std::int64_t begin, std::int64_t end, char*) {
      auto& held = *static_cast<Held*>(context);
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
      for (std::int64_t i = begin; i < end; ++i) {
        if (i > 0) ++held.others;
        while (i == 0 && held.in_time && held.others < 7)
          held.in_time = std::chrono::steady_clock::now() < deadline;
      }
    }
  } held;
  ThreadPool pool(2);
  pool.run(8, Held::work, &held);
  BOOST_TEST(held.in_time);
  BOOST_TEST(held.others == 7);
}

BOOST_AUTO_TEST_CASE(sizes_are_checked) {
  BOOST_TEST(available_threads() >= 1);
  BOOST_CHECK_THROW(ThreadPool(-1), InvalidArgument);
  BOOST_CHECK_THROW(ThreadPool(1025), InvalidArgument);
}

}  // namespace
}  // namespace eflow::jit
