#define BOOST_TEST_MODULE batch
#include "eflow/soflow/objective/batch.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::soflow {
namespace {

Batch labelled() {
  Batch batch;
  batch.x0 = test::values({4, 2, 3}, 1);
  batch.context = test::values({4, 5, 2}, 2);
  batch.indices = {10, 11, 12, 13};
  batch.labels = {0, 1, 2, 3};
  return batch;
}

BOOST_AUTO_TEST_CASE(rows_keep_labels_context_and_indices) {
  const Batch whole = labelled(), part = whole.rows({3, 1});
  BOOST_TEST(part.indices == (std::vector<std::int64_t>{13, 11}));
  BOOST_TEST(part.labels == (std::vector<std::int64_t>{3, 1}));
  BOOST_TEST(part.x0.shape() == (Shape{2, 2, 3}));
  BOOST_TEST(test::distance(narrow(part.x0, 0, 1, 1), narrow(whole.x0, 0, 1, 1)) == 0);
  BOOST_TEST(test::distance(narrow(part.context, 0, 0, 1), narrow(whole.context, 0, 3, 1)) == 0);
}

BOOST_AUTO_TEST_CASE(dropped_samples_lose_label_and_context) {
  const nn::Condition c = condition_of(labelled(), {false, true, false, true}, 9);
  BOOST_TEST(c.labels.to_vector<std::int64_t>() == (std::vector<std::int64_t>{0, 9, 2, 9}));
  BOOST_TEST(test::largest(narrow(c.context, 0, 1, 1)) == 0);
  BOOST_TEST(test::distance(narrow(c.context, 0, 2, 1), narrow(labelled().context, 0, 2, 1)) == 0);
}

BOOST_AUTO_TEST_CASE(sizes_must_agree) {
  const auto refuses = [](auto change) {
    Batch batch = labelled();
    batch.check();
    change(batch);
    BOOST_CHECK_THROW(batch.check(), ShapeError);
  };
  refuses([](Batch& b) { b.labels.pop_back(); });
  refuses([](Batch& b) { b.indices.pop_back(); });
  refuses([](Batch& b) { b.x0 = Tensor(); });
  refuses([](Batch& b) { b.context = test::values({3, 5, 2}, 2); });
}

}  // namespace
}  // namespace eflow::soflow
