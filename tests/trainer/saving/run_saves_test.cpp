// A failed save is tried again some steps later, and three failures in a row end the run.
#define BOOST_TEST_MODULE run_saves
#include "eflow/trainer/saving/run_saves.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/warnings.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;
using namespace eflow::trainer;
using eflow::test::Warnings;

namespace {

using Steps = std::set<std::int64_t>;

/// A run of one rank that saves one value, and whose saves fail as long as it is told.
struct Trial {
  TemporaryFolder folder;
  io::CheckpointStore store{folder.path(), {.keep_last = 10}};
  comm::Communicator alone;
  RunSaves saves{&alone, 100};
  int failures = 0;
  bool before_publishing = false;  ///< saves fail late, on the saving thread

  [[nodiscard]] StateParts state() const {
    StateParts parts;
    add_state_parts("", {{"model.one", Tensor::from(std::vector<double>{1}, {1})}}, 0, 1, &parts);
    return parts;
  }
  RunSaves::Describe describe() {
    return [this]() -> SaveRequest {
      const bool fails = failures > 0;
      failures -= fails;
      if (fails && !before_publishing) throw IoError("no folder");
      return {.store = store, .metadata = "{}", .before = [fails] {
                if (fails) throw IoError("no disk");
              }};
    };
  }
  void save(std::int64_t step) { saves.save(step, state(), true, describe()); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_failed_save_is_due_again_after_a_tenth_of_the_interval) {
  for (const bool late : {false, true}) {
    const Warnings warnings;
    Trial run;
    run.before_publishing = late;
    BOOST_TEST(run.saves.last_name() == "none");
    run.save(100);
    BOOST_TEST(run.saves.last_step() == 100);
    run.failures = 1;
    run.save(200);
    BOOST_TEST(run.saves.last_step() == 100);
    BOOST_TEST((run.saves.begun() == Steps{100}));
    BOOST_TEST((!run.saves.is_due(209) && run.saves.is_due(210)));
    BOOST_TEST(warnings.count_with(late ? "step 200: no disk" : "step 200: no folder") == 1);
    BOOST_TEST(warnings.count_with("tries again after step 210") == 1);
    run.save(210);
    BOOST_TEST(run.saves.last_checkpoint() == run.store.path_of(210));
    BOOST_TEST(!run.saves.is_due(210));
    BOOST_TEST((run.saves.begun() == Steps{100, 210}));
  }
}

BOOST_AUTO_TEST_CASE(the_third_failure_in_a_row_is_thrown) {
  const Warnings warnings;
  Trial run;
  run.failures = 2;
  run.save(1), run.save(2), run.save(3);  // the third succeeds
  run.failures = 3;
  run.save(4), run.save(5);
  BOOST_CHECK_EXCEPTION(run.save(6), IoError, [](const IoError& error) {
    return std::string(error.what()).find("no folder") != std::string::npos;
  });
  BOOST_TEST(run.saves.last_step() == 3);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_run_is_saved_until_it_is_durable) {
  const Warnings warnings;
  Trial run;
  run.failures = 1;
  run.saves.save_at_end(7, run.state(), run.describe());
  BOOST_TEST(run.saves.last_step() == 7);
  BOOST_TEST(warnings.count_with("trying again") == 1);
}

BOOST_AUTO_TEST_CASE(before_an_error_a_failed_save_is_a_warning) {
  for (const bool late : {false, true}) {
    const Warnings warnings;
    Trial run;
    run.before_publishing = late;
    run.failures = 4;
    for (int i = 0; i < 4; ++i) run.saves.save_before_error(3, run.state(), run.describe());
    BOOST_TEST(run.saves.last_step() == 0);
    BOOST_TEST(warnings.count_with("could not save step 3") == 4);
    run.saves.save_before_error(3, run.state(), run.describe());
    BOOST_TEST(run.saves.last_step() == 3);
  }
}
