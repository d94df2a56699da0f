// DLPack: shared memory in both directions, released exactly once, and what is refused.
#define BOOST_TEST_MODULE dlpack
#include "eflow/core/foreign/dlpack.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"

using namespace eflow;

namespace {

/// A tensor of another library: 2 x 3 floats, with a count of its deletions.
struct Foreign {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  std::vector<std::int64_t> shape{2, 3}, strides{3, 1};
  int deleted = 0;
  dlpack::Versioned managed;

  Foreign() {
    managed.context = this;
    managed.deleter = [](dlpack::Versioned* self) {
      ++static_cast<Foreign*>(self->context)->deleted;
    };
    managed.view = {
        .data = values.data(), .ndim = 2, .shape = shape.data(), .strides = strides.data()};
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(foreign_memory_is_used_and_given_back_once) {
  Foreign foreign;
  {
    const Tensor t = dlpack::adopt(&foreign.managed);
    BOOST_TEST(t.data() == foreign.values.data());
    BOOST_TEST(t.to_vector<float>() == foreign.values, boost::test_tools::per_element());
    foreign.values[4] = 50;
    BOOST_TEST(sum(t, {0, 1}).item() == 66);
    t.assign(Tensor::full({2, 3}, 7));
    BOOST_TEST(foreign.values[5] == 7);
    const Tensor column = t.view({2}, {3}, 1);
    static_cast<void>(column);
    BOOST_TEST(foreign.deleted == 0);
  }
  BOOST_TEST(foreign.deleted == 1);
  // A view without strides is row-major; an offset is counted in bytes.
  foreign.managed.view.strides = nullptr;
  foreign.managed.view.byte_offset = 4;
  foreign.shape = {5};
  foreign.managed.view.ndim = 1;
  foreign.values = {1, 2, 3, 4, 5, 6};
  foreign.managed.view.shape = foreign.shape.data();
  foreign.managed.view.data = foreign.values.data();
  BOOST_TEST(
      dlpack::adopt(&foreign.managed).to_vector<float>() == (std::vector<float>{2, 3, 4, 5, 6}),
      boost::test_tools::per_element());
  BOOST_TEST(foreign.deleted == 2);
}

BOOST_AUTO_TEST_CASE(a_shared_tensor_lives_until_it_is_deleted) {
  const std::size_t before = default_device()->memory().in_use;
  Tensor t = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const void* const data = t.data();
  dlpack::Versioned* const out = dlpack::share<dlpack::Versioned>(t.view({3, 2}, {1, 3}));
  t = Tensor();
  BOOST_TEST(default_device()->memory().in_use > before);
  BOOST_TEST(out->major == 1u);
  BOOST_TEST(out->flags == 0u);
  BOOST_TEST(out->view.data == data);
  BOOST_TEST(out->view.ndim == 2);
  BOOST_TEST(out->view.shape[0] == 3);
  BOOST_TEST(out->view.strides[1] == 3);
  BOOST_TEST(out->view.device_type == dlpack::kCpu);
  {
    const Tensor back = dlpack::adopt(out);  // and deleted with it
    BOOST_TEST(back.to_vector<float>() == (std::vector<float>{1, 4, 2, 5, 3, 6}),
               boost::test_tools::per_element());
  }
  BOOST_TEST(default_device()->memory().in_use == before);
  for (const DType dtype :
       {DType::kF32, DType::kF64, DType::kBF16, DType::kI32, DType::kI64, DType::kU8}) {
    const Tensor one = Tensor::full({4}, 3, dtype);
    const Tensor same = dlpack::adopt(dlpack::share<dlpack::Unversioned>(one));
    BOOST_TEST(name_of(same.dtype()) == name_of(dtype));
    BOOST_TEST(same.data() == one.data());
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_and_stays_the_callers) {
  const auto refused = [](auto&& change, std::string_view what) {
    Foreign foreign;
    change(foreign.managed);
    BOOST_CHECK_EXCEPTION(static_cast<void>(dlpack::adopt(&foreign.managed)), InvalidArgument,
                          [&](const Error& e) {
                            return std::string_view(e.what()).find(what) != std::string_view::npos;
                          });
    BOOST_TEST(foreign.deleted == 0);
  };
  refused([](auto& m) { m.major = 2; }, "DLPack 2.0");
  refused([](auto& m) { m.flags = dlpack::kReadOnly; }, "read-only");
  refused([](auto& m) { m.view.bits = 16; }, "type code 2, 16 bits, 1 lanes");
  refused([](auto& m) { m.view.lanes = 4; }, "4 lanes");
  refused([](auto& m) { m.view.device_type = dlpack::kCuda; }, "device type 2");
  refused([](auto& m) { m.view.ndim = 9; }, "9 dimensions");
  refused([](auto& m) { m.view.byte_offset = 2; }, "not aligned");
  refused([](auto& m) { m.view.strides[1] = -1; }, "negative stride");
}
