// Tensor maps on a recording driver: the arguments of each call, and the tensors that are rejected
// without a call.
#define BOOST_TEST_MODULE tensor_map
#include "eflow/jit/cuda/tensor_map.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

using namespace eflow;
using namespace eflow::jit;
using test::RecordingDriver;

#if defined(CUDA_VERSION)
// Our constants must match the driver's header.
static_assert(cu::kTensorMapF32 == CU_TENSOR_MAP_DATA_TYPE_FLOAT32);
static_assert(cu::kTensorMapBF16 == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
static_assert(cu::kTensorMapNoInterleave == CU_TENSOR_MAP_INTERLEAVE_NONE);
static_assert(cu::kTensorMapNoSwizzle == CU_TENSOR_MAP_SWIZZLE_NONE);
static_assert(cu::kTensorMapL2Of128 == CU_TENSOR_MAP_L2_PROMOTION_L2_128B);
static_assert(cu::kTensorMapZeros == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
static_assert(sizeof(CUtensorMap) == 128 && alignof(CUtensorMap) <= 128);
#endif

namespace {

struct alignas(128) Map {
  char bytes[128];
};

struct Session {
  RecordingDriver driver;
  CudaApi api = RecordingDriver::api();
  CudaContext context{api, 0};
  Map map{};

  bool encode(const TensorBox& box) { return encode_tensor_map(context, box, &map); }
};

alignas(16) char memory[32];

TensorBox good() {
  return {.dtype = DType::kBF16,
          .address = memory,
          .sizes = {8, 100, 3, 4, 2},
          .strides = {576, 16, 48, 57600},
          .box = {8, 64, 4, 1, 1}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_map_is_one_call_with_the_context_current) {
  Session s;
  s.driver.calls.clear();
  BOOST_TEST(s.encode(good()));
  BOOST_TEST(
      s.driver.calls == (std::vector<std::string>{"cuCtxGetCurrent", "cuCtxPushCurrent",
                                                  "cuTensorMapEncodeTiled", "cuCtxPopCurrent"}),
      boost::test_tools::per_element());
  BOOST_TEST(s.driver.l2_promotion == cu::kTensorMapL2Of128);
  emulated::TensorMapFields map;
  std::memcpy(&map, &s.map, sizeof map);
  BOOST_TEST(map.type == cu::kTensorMapBF16);
  BOOST_TEST(map.address == reinterpret_cast<std::uint64_t>(memory));
  BOOST_TEST((map.sizes == std::array<std::uint64_t, 5>{8, 100, 3, 4, 2}));
  BOOST_TEST((map.strides == std::array<std::uint64_t, 4>{576, 16, 48, 57600}));
  BOOST_TEST((map.box == std::array<std::uint16_t, 5>{8, 64, 4, 1, 1}));

  TensorBox f32 = good();
  f32.dtype = DType::kF32;
  f32.sizes[0] = f32.box[0] = 4;
  BOOST_TEST(s.encode(f32));
  std::memcpy(&map, &s.map, sizeof map);
  BOOST_TEST(map.type == cu::kTensorMapF32);
}

BOOST_AUTO_TEST_CASE(what_the_engine_cannot_take_is_not_asked_for) {
  Session s;
  s.driver.calls.clear();
  const std::function<void(TensorBox&)> spoil[] = {
      [](TensorBox& t) { t.dtype = DType::kF64; },
      [](TensorBox& t) { t.address = memory + 2; },
      [](TensorBox& t) { t.strides[0] = 578; },
      [](TensorBox& t) { t.strides[3] = 0; },
      [](TensorBox& t) { t.strides[0] = -576; },
      [](TensorBox& t) { t.strides[3] = std::int64_t{1} << 40; },
      [](TensorBox& t) { t.sizes[1] = (std::int64_t{1} << 32) + 1; },
      [](TensorBox& t) { t.sizes[1] = 0; },
      [](TensorBox& t) { t.box[1] = 257; },
      [](TensorBox& t) { t.box[0] = 4; },
  };
  for (const auto& one : spoil) {
    TensorBox box = good();
    one(box);
    BOOST_TEST(!s.encode(box));
  }
  BOOST_TEST(s.driver.calls.empty());
  s.api.tensor_map_encode = nullptr;
  BOOST_TEST(!s.encode(good()));
}

BOOST_AUTO_TEST_CASE(a_refusal_names_the_call_and_the_map) {
  Session s;
  s.driver.failing["cuTensorMapEncodeTiled"] = 1;
  BOOST_CHECK_EXCEPTION(static_cast<void>(s.encode(good())), DeviceError, [](const Error& e) {
    const std::string_view text = e.what();
    return text.find("cuTensorMapEncodeTiled of sizes 8 100 3 4 2") != std::string_view::npos &&
           text.find("box 8 64 4") != std::string_view::npos;
  });
}
