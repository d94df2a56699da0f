// A background save holds the values of the moment of the call, whatever training does meanwhile.
#define BOOST_TEST_MODULE background_saver
#include "eflow/trainer/saving/background_saver.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <vector>

#include "eflow/core/comm/local_channel.hpp"
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

/// The parts of rank `rank`, of tensors that all ranks have.
StateParts part_of_rank(const nn::NamedTensors& state, int rank, int ranks) {
  StateParts parts;
  add_state_parts("", state, rank, ranks, &parts);
  return parts;
}

StateParts whole(const nn::NamedTensors& state) {
  return part_of_rank(state, 0, 1);
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
    saver.save(step, whole(state), [&]() -> SaveRequest {
      return {.store = store, .metadata = "{}", .before = [open] { open.wait(); }};
    });
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
  saver.save(1, whole(state_of(1)), [&]() -> SaveRequest {
    return {
        .store = store, .metadata = "{}", .before = [] { throw std::runtime_error("not now"); }};
  });
  saver.save(2, whole(state_of(2)), [&] { return SaveRequest{.store = store, .metadata = "{}"}; });
  saver.wait();
  const auto outcomes = saver.take_outcomes();
  BOOST_REQUIRE(outcomes.size() == 2u);
  BOOST_CHECK_THROW(std::rethrow_exception(outcomes[0].error), std::runtime_error);
  BOOST_TEST(outcomes[1].checkpoint == store.path_of(2));
  BOOST_TEST(!std::filesystem::exists(store.path_of(1)));
}

namespace {

/// Saves on ranks that are threads, and returns the outcomes of rank 0. change: what a rank does
/// before it saves.
std::vector<io::SaveOutcome> save_on(
    int ranks, const io::CheckpointStore& store, std::int64_t steps,
    const std::function<void(int rank, std::int64_t step, StateParts* parts)>& change = {}) {
  std::vector<io::SaveOutcome> outcomes;
  comm::run_ranks(ranks, [&](comm::Communicator& all) {
    BackgroundSaver saver(&all);
    for (std::int64_t step = 1; step <= steps; ++step) {
      const nn::NamedTensors state = state_of(static_cast<float>(step));
      StateParts parts = part_of_rank(state, all.rank(), ranks);
      if (change) change(all.rank(), step, &parts);
      saver.save(step, parts, [&] { return SaveRequest{.store = store, .metadata = "{}"}; });
      overwrite(state, -1);
      const auto reports = all.gather(saver.take_reports(), {"reports", step});
      if (all.is_first()) saver.publish(reports);
    }
    saver.finish(steps);
    if (all.is_first()) outcomes = saver.take_outcomes();
  });
  return outcomes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(ranks_save_together) {
  const TemporaryFolder folder;
  const nn::NamedTensors state = state_of(3);
  std::string digest;
  for (const int ranks : {1, 2, 3, 5}) {
    const io::CheckpointStore store(folder.path() / std::to_string(ranks), {.keep_last = 2});
    const auto outcomes = save_on(ranks, store, 3);
    BOOST_REQUIRE_EQUAL(outcomes.size(), 3u);
    for (const io::SaveOutcome& outcome : outcomes) BOOST_TEST(!outcome.error);
    BOOST_TEST(outcomes[2].checkpoint == store.path_of(3));
    BOOST_TEST((store.list() == std::vector<std::int64_t>{2, 3}));
    BOOST_TEST((holds(store, 2, 2) && holds(store, 3, 3)), ranks << " ranks");
    const io::Checkpoint checkpoint(store.path_of(3));
    if (ranks == 1) digest = checkpoint.digest();
    BOOST_TEST(checkpoint.digest() == digest);
    const auto files = std::distance(std::filesystem::directory_iterator(checkpoint.path()), {});
    BOOST_TEST(files == ranks + 1);
  }
}

BOOST_AUTO_TEST_CASE(a_rank_that_cannot_write_spoils_its_save_only) {
  const TemporaryFolder folder;
  const io::CheckpointStore store(folder.path(), {.keep_last = 10});
  const auto outcomes = save_on(3, store, 3, [](int rank, std::int64_t step, StateParts* parts) {
    if (rank == 2 && step == 2) parts->at(0).first = 1;  // not a place where parts may begin
  });
  BOOST_REQUIRE_EQUAL(outcomes.size(), 3u);
  BOOST_TEST((store.list() == std::vector<std::int64_t>{1, 3}));
  BOOST_TEST((holds(store, 1, 1) && holds(store, 3, 3)));
  try {
    std::rethrow_exception(outcomes[1].error);
  } catch (const IoError& error) {
    const std::string text = error.what();
    BOOST_TEST(text.find("rank 2") != std::string::npos, text);
    BOOST_TEST(text.find("multiple of") != std::string::npos, text);
  }
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

BOOST_AUTO_TEST_CASE(a_save_that_cannot_begin_is_an_error_of_rank_0) {
  const TemporaryFolder folder;
  const io::CheckpointStore store(folder.path());
  std::array<int, 2> errors{}, outcomes{};
  comm::run_ranks(2, [&](comm::Communicator& all) {
    const auto me = static_cast<std::size_t>(all.rank());
    BackgroundSaver saver(&all);
    const StateParts parts = part_of_rank(state_of(1), all.rank(), 2);
    for (const bool works : {false, true}) {
      try {
        saver.save(1, parts, [&]() -> SaveRequest {
          if (!works) throw std::runtime_error("not now");
          return {.store = store, .metadata = "{}"};
        });
      } catch (const std::runtime_error& error) {
        errors[me] += error.what() == std::string("not now");
      }
      saver.finish(1);
    }
    outcomes[me] = static_cast<int>(saver.take_outcomes().size());
  });
  BOOST_TEST((errors == std::array<int, 2>{1, 0}));
  BOOST_TEST((outcomes == std::array<int, 2>{1, 0}));
  BOOST_TEST(holds(store, 1, 1));
}
