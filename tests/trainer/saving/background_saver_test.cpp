// A background save holds the values of the moment of the call, whatever training does meanwhile.
#define BOOST_TEST_MODULE background_saver
#include "eflow/trainer/saving/background_saver.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <vector>

#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Of more than the part that one thread copies at a time, and of one value.
nn::NamedTensors state_of(float value) {
  nn::NamedTensors state;
  for (const std::int64_t count : {300'001, 1}) {
    std::vector<float> values(static_cast<std::size_t>(count), value);
    state.emplace_back(count == 1 ? "model.one" : "model.many", Tensor::from(values, {count}));
  }
  state.emplace_back("adamw.wide", Tensor::from(std::vector<double>{value, 0.1}, {2}));
  return state;
}

void overwrite(const nn::NamedTensors& state, float value) {
  const nn::NamedTensors other = state_of(value);
  for (std::size_t i = 0; i < state.size(); ++i) state[i].second.assign(other[i].second);
}

/// Whether the checkpoint's arrays are those of state_of(value).
bool holds(const io::CheckpointStore& store, std::int64_t step, float value) {
  const io::Checkpoint checkpoint(store.path_of(step));
  checkpoint.verify();
  const nn::NamedTensors found = load_tensors(checkpoint, ""), expected = state_of(value);
  if (found.size() != expected.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].first != expected[i].first ||
        found[i].second.dtype() != expected[i].second.dtype() ||
        found[i].second.to_vector<double>() != expected[i].second.to_vector<double>())
      return false;
  }
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(copies_are_those_of_the_call) {
  const TemporaryFolder folder;
  const io::CheckpointStore store(folder.path(), {.keep_last = 10});
  const nn::NamedTensors state = state_of(1);
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  BackgroundSaver saver;
  const auto save = [&](std::int64_t step) {
    saver.save(state,
               {.step = step, .store = store, .metadata = "{}", .before = [open] { open.wait(); }});
  };
  save(1);
  overwrite(state, 2);
  save(2);  // waits in its own copy, while the first is written
  overwrite(state, 3);
  BOOST_TEST(store.list().empty());
  BOOST_TEST(saver.take_outcomes().empty());
  // The third needs the first one's copy.
  auto third = std::async(std::launch::async, [&] { save(3); });
  BOOST_TEST((third.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout));
  gate.set_value();
  third.get();
  overwrite(state, 4);
  saver.wait();
  BOOST_TEST(saver.take_outcomes().size() == 3u);
  for (int step = 1; step <= 3; ++step)
    BOOST_TEST(holds(store, step, static_cast<float>(step)), "step " << step);
}

BOOST_AUTO_TEST_CASE(a_failure_is_an_outcome) {
  const TemporaryFolder folder;
  const io::CheckpointStore store(folder.path());
  BackgroundSaver saver;
  saver.save(state_of(1), {.step = 1, .store = store, .metadata = "{}", .before = [] {
                             throw std::runtime_error("not now");
                           }});
  saver.save(state_of(2), {.step = 2, .store = store, .metadata = "{}"});
  saver.wait();
  const auto outcomes = saver.take_outcomes();
  BOOST_REQUIRE(outcomes.size() == 2u);
  BOOST_CHECK_THROW(std::rethrow_exception(outcomes[0].error), std::runtime_error);
  BOOST_TEST(outcomes[1].checkpoint == store.path_of(2));
  BOOST_TEST(!std::filesystem::exists(store.path_of(1)));
}
