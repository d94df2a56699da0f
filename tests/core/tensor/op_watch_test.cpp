// OpWatch reports the ops of its thread, in order, and none that its callback runs.
#define BOOST_TEST_MODULE op_watch
#include "eflow/core/tensor/op_watch.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/ops.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(ops_are_reported_with_their_operands) {
  Tensor w = Tensor::from(std::vector<float>{2, 3}, {2});
  w.set_requires_grad();
  int forward = 0, backward_ = 0, vjps = 0, with_w = 0;
  {
    const OpWatch watch([&](const OpEvent& event) {
      (event.backward ? backward_ : forward) += 1;
      vjps += event.vjp;
      BOOST_TEST((!event.vjp || event.backward));
      for (const detail::TensorNode* operand : event.operands)
        with_w += event.vjp && operand == w.node().get();
      BOOST_TEST(!event.op.empty());
      BOOST_TEST(event.outputs.size() > 0u);
      static_cast<void>(w.detach() * 2);  // not reported
    });
    BOOST_CHECK_THROW(OpWatch([](const OpEvent&) {}), InvalidArgument);
    const Tensor product = w * w;
    BOOST_TEST(forward == 1);
    backward(sum(product));
  }
  BOOST_TEST(forward >= 2);      // sum may be several ops
  BOOST_TEST(vjps == forward);   // of every recorded op
  BOOST_TEST(backward_ > vjps);  // the products with dy
  BOOST_TEST(with_w == 2);
  const int before = forward;
  static_cast<void>(w * w);
  BOOST_TEST(forward == before);
  BOOST_TEST(!OpWatch::is_set());
}
