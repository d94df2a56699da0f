#define BOOST_TEST_MODULE embedding
#include "eflow/nn/layers/embedding.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(an_embedding_refuses_unknown_ids) {
  const Embedding table(kScope, 4, 8);
  BOOST_TEST(table(Tensor::from(std::vector<std::int64_t>{3, 0}, {2})).shape() == (Shape{2, 8}));
  BOOST_CHECK_THROW(static_cast<void>(table(Tensor::from(std::vector<std::int64_t>{4}, {1}))),
                    InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
