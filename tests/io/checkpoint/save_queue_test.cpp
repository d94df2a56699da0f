// Saves run on a thread of their own, in order, and report how they ended.
#define BOOST_TEST_MODULE save_queue
#include "eflow/io/checkpoint/save_queue.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <future>
#include <stdexcept>
#include <vector>

using eflow::io::SaveOutcome;
using eflow::io::SaveQueue;

namespace {

std::atomic<bool> g_no_threads{false};

std::vector<std::int64_t> steps_of(const std::vector<SaveOutcome>& outcomes) {
  std::vector<std::int64_t> steps;
  for (const SaveOutcome& outcome : outcomes) steps.push_back(outcome.step);
  return steps;
}

using Steps = std::vector<std::int64_t>;

}  // namespace

// Takes the place of the C library's.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  return g_no_threads ? EAGAIN : real(thread, attributes, start, argument);
}

BOOST_AUTO_TEST_CASE(the_caller_goes_on_and_saves_run_in_order) {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::vector<int> ran;  // by the queue's thread alone
  SaveQueue queue;
  queue.push(1, [&, open] {
    open.wait();
    ran.push_back(1);
    return "one";
  });
  queue.push(2, [&] {
    ran.push_back(2);
    return "two";
  });
  queue.wait(2);
  BOOST_TEST(queue.take_outcomes().empty());  // the first waits for the gate
  gate.set_value();
  queue.wait();
  const auto outcomes = queue.take_outcomes();
  BOOST_TEST((ran == std::vector<int>{1, 2}));
  BOOST_TEST((steps_of(outcomes) == Steps{1, 2}));
  BOOST_TEST(outcomes.at(1).checkpoint == "two");
  BOOST_TEST(!outcomes.at(1).error);
  BOOST_TEST(queue.take_outcomes().empty());  // each is told once
}

BOOST_AUTO_TEST_CASE(a_save_that_throws_is_an_outcome_and_the_next_one_runs) {
  SaveQueue queue;
  queue.push(1, []() -> std::filesystem::path { throw std::runtime_error("full"); });
  queue.push(2, [] { return "two"; });
  queue.wait();
  const auto outcomes = queue.take_outcomes();
  BOOST_REQUIRE(outcomes.size() == 2u);
  BOOST_TEST(outcomes[0].checkpoint.empty());
  BOOST_CHECK_THROW(std::rethrow_exception(outcomes[0].error), std::runtime_error);
  BOOST_TEST(outcomes[1].checkpoint == "two");
}

BOOST_AUTO_TEST_CASE(the_destructor_waits_for_all_saves) {
  int done = 0;
  {
    SaveQueue queue;
    for (int i = 0; i < 5; ++i) {
      queue.push(i, [&done] {
        ++done;
        return "";
      });
    }
  }
  BOOST_TEST(done == 5);
}

BOOST_AUTO_TEST_CASE(without_a_thread_the_caller_saves) {
  SaveQueue queue;
  g_no_threads = true;
  queue.push(1, [] { return "one"; });
  g_no_threads = false;
  BOOST_TEST((steps_of(queue.take_outcomes()) == Steps{1}));
  queue.push(2, [] { return "two"; });
  queue.wait();
  BOOST_TEST((steps_of(queue.take_outcomes()) == Steps{2}));
}
