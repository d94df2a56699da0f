#define BOOST_TEST_MODULE tensor
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

Tensor counting(const Shape& shape) {
  std::vector<float> v(static_cast<std::size_t>(element_count(shape)));
  std::iota(v.begin(), v.end(), 0.0f);
  return Tensor::from(v, shape);
}

BOOST_AUTO_TEST_CASE(views_share_memory_and_copies_do_not) {
  const Tensor x = counting({2, 3, 4});
  const Tensor t = transpose(x, 0, 2);
  BOOST_TEST(t.data() == x.data());
  BOOST_TEST(t.shape() == (Shape{4, 3, 2}));
  BOOST_TEST(!t.is_contiguous());
  const Tensor c = contiguous(t);
  BOOST_TEST(c.data() != x.data());
  BOOST_TEST(c.to_vector<float>() == t.to_vector<float>());
  BOOST_TEST(c.to_vector<float>()[1] == 12.0f);
}

BOOST_AUTO_TEST_CASE(reshape_is_a_view_wherever_strides_allow) {
  const Tensor x = counting({2, 3, 8});
  BOOST_TEST(reshape(x, {6, 8}).data() == x.data());
  const Tensor part =
      narrow(x, 2, 4, 4);  // rows of 4 inside rows of 8: can be split as a view, but not merged
  BOOST_TEST(reshape(part, {2, 3, 2, 2}).data() == part.data());
  BOOST_TEST(reshape(part, {24}).data() != part.data());
  BOOST_TEST(reshape(part, {24}).to_vector<float>()[4] == 12.0f);
  BOOST_TEST(reshape(x, {-1, 4}).shape() == (Shape{12, 4}));
  BOOST_CHECK_THROW(reshape(x, {5, -1}), ShapeError);
  BOOST_CHECK_THROW(reshape(x, {7}), ShapeError);
}

BOOST_AUTO_TEST_CASE(broadcast_costs_no_memory) {
  const Tensor x = counting({3, 1});
  const Tensor wide = broadcast_to(x, {2, 3, 5});
  BOOST_TEST(wide.data() == x.data());
  BOOST_TEST(wide.to_vector<float>()[5] == 1.0f);
  BOOST_CHECK_THROW(broadcast_to(x, {4, 5}), ShapeError);
}

BOOST_AUTO_TEST_CASE(conversion_rounds_to_nearest_even) {
  const Tensor x =
      Tensor::from(std::vector<float>{1.0f, 1.00390625f, 1.01171875f, -0.0f, 3e38f}, {5});
  const auto bits = cast(x, DType::kBF16).to_vector<bfloat16>();
  BOOST_TEST(bits[0].bits == 0x3f80);
  BOOST_TEST(bits[1].bits == 0x3f80);  // a tie: rounds down to even
  BOOST_TEST(bits[2].bits == 0x3f82);  // a tie: rounds up to even
  BOOST_TEST(bits[3].bits == 0x8000);
  BOOST_TEST(cast(x, DType::kF64).to_vector<double>()[1] == 1.00390625);
}

BOOST_AUTO_TEST_CASE(full_and_zeros_fill_every_dtype) {
  for (const DType dtype :
       {DType::kF32, DType::kF64, DType::kBF16, DType::kI32, DType::kI64, DType::kU8}) {
    BOOST_TEST(Tensor::full({2, 3}, 7, dtype).to_vector<double>() == std::vector<double>(6, 7.0));
    BOOST_TEST(Tensor::zeros({4}, dtype).to_vector<double>() == std::vector<double>(4, 0.0));
  }
}

BOOST_AUTO_TEST_CASE(empty_tensors_are_tensors) {
  const Tensor x = Tensor::empty({0, 4});
  BOOST_TEST((x + 1.0).count() == 0);
  BOOST_TEST(matmul(Tensor::zeros({2, 0}), Tensor::zeros({0, 3})).to_vector<float>() ==
             std::vector<float>(6, 0.0f));
}

BOOST_AUTO_TEST_CASE(errors_name_the_op_and_the_shapes) {
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing thrown";
  };
  const Tensor a = counting({4, 128}), b = counting({96, 256});
  BOOST_TEST(message([&] {
               (void)matmul(a, b);
             }).find("[matmul] a is [4, 128] f32, b is [96, 256] f32") == 0);
  BOOST_TEST(message([&] { (void)(a + b); }).find("[add] shapes [4, 128] and [96, 256]") == 0);
  BOOST_TEST(message([&] { (void)(a + cast(a, DType::kF64)); }).find("[add] dtypes differ") == 0);
  BOOST_TEST(message([&] {
               (void)split(a, {3, 2}, 0);
             }).find("[split] the sizes add up to 5") == 0);
  BOOST_TEST(message([&] { (void)permute(a, {0, 0}); }).find("[permute]") == 0);
  BOOST_TEST(message([&] { (void)narrow(a, 0, 3, 2); }).find("[narrow]") == 0);
  BOOST_TEST(message([&] { (void)exp(Tensor::zeros({2}, DType::kI64)); }).find("[exp]") == 0);
  BOOST_TEST(message([&] { (void)a.item(); }).find("[item]") == 0);
  BOOST_TEST(
      message([&] { (void)Tensor::from(std::vector<float>{1}, {2}); }).find("[Tensor::from]") == 0);
}

BOOST_AUTO_TEST_CASE(memory_is_kept_for_the_next_tensor_of_its_size) {
  const DevicePtr device = make_cpu_device({.threads = 1});
  void* first = nullptr;
  {
    const Tensor x = Tensor::empty({1000}, DType::kF32, device);
    first = x.data();
    BOOST_TEST(device->memory().in_use >= 4000u);
  }
  BOOST_TEST(device->memory().in_use == 0u);
  const Tensor y = Tensor::empty({1001}, DType::kF32, device);
  BOOST_TEST(y.data() == first);
  BOOST_TEST(device->memory().peak_in_use == device->memory().in_use);
  BOOST_CHECK_THROW((void)Tensor::empty({std::int64_t{1} << 52}, DType::kF32, device), DeviceError);
}

}  // namespace
}  // namespace eflow
