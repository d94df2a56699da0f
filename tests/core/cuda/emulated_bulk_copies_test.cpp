// Attention with bulk copies (TMA), enabled by tuning records: on an emulated GPU against the
// composition of elementary ops on the CPU, forward and backward, with heads inside wider rows. If
// a tensor cannot be mapped, ordinary loads are used.
#define BOOST_TEST_MODULE cuda_bulk_copies
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>

#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/attention/glga_tensor_maps.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/cuda/hopper_attention.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

using namespace eflow;

BOOST_AUTO_TEST_CASE(walks_by_bulk_copies_are_the_composition) {
  for (const test::GlgaCase& c :
       {test::hopper_case(DType::kBF16, 24, false, 0), test::hopper_case(DType::kBF16, 64, true, 8),
        test::hopper_case(DType::kBF16, 96, false, 0),
        test::hopper_case(DType::kF32, 128, false, 4),
        test::hopper_case(DType::kF32, 136, false, 0)}) {
    const test::EmulatedGpu gpu;
    test::check_hopper_configs(gpu.options(), c, true);
    BOOST_TEST(gpu.bulk_copies() > 0);
  }
}

BOOST_AUTO_TEST_CASE(rows_that_no_map_can_tell_of_are_loaded_otherwise) {
  const test::EmulatedGpu gpu;
  test::check_hopper_configs(gpu.options(), test::hopper_case(DType::kBF16, 16, false, 1), true);
  BOOST_TEST(gpu.bulk_copies() == 0);
}

// The kernels that tests/gpu/hopper_test.cpp runs.
BOOST_AUTO_TEST_CASE(default_tiles_may_be_had_with_bulk_copies) {
  const test::EmulatedGpu gpu;
  const test::TempDir cache;
  jit::Options options = gpu.options();
  options.cache.named = cache.path();
  const DevicePtr device = make_device(options);
  for (const std::int64_t head : test::kHopperHeads) {
    for (const DType dtype : {DType::kBF16, DType::kF32}) {
      if (dtype == DType::kF32 && head > test::kWidestInF32) continue;
      for (const bool bulk : {false, true}) {
        const test::GlgaCase c = test::hopper_case(dtype, head, false, 0);
        BOOST_TEST(test::choose_hopper_configs(device->runtime(), c, bulk).size() == 3);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(maps_tell_of_heads_in_rows_of_chunks) {
  test::RecordingDriver driver;
  const jit::CudaApi api = test::RecordingDriver::api();
  jit::Options options;
  options.device = "cuda";
  options.cuda = &api;
  const jit::Runtime runtime(options);

  // Heads of 24 channels, the last two thirds of rows of 3 x 4 heads; 100 keys, 3 samples, tiles of
  // 64 keys.
  alignas(16) static char memory[16];
  args::Glga a{};
  a.k = {memory, 100 * 288, 288, 24};
  a.v = a.k;
  a.q = {memory, 0, 96, 24};
  a.d_local = a.q;
  a.keys = 100;
  a.queries = 70;
  a.heads = 4;
  jit::KernelSpec spec("glga_forward", {DType::kBF16}, {24, 1, 1, 1, 1, -1, 0, 32, 64, 0, 1});
  BOOST_TEST((detail::with_tensor_maps(runtime, spec, 3, a) == spec));
  BOOST_TEST(driver.count("cuTensorMapEncodeTiled") == 2);
  emulated::TensorMapFields map;
  std::memcpy(&map, &a.walk[1], sizeof map);
  const auto all = boost::test_tools::per_element();
  BOOST_TEST(map.sizes == (std::array<std::uint64_t, 5>{8, 100, 3, 4, 3}), all);
  BOOST_TEST(map.strides == (std::array<std::uint64_t, 4>{576, 16, 48, 57600}), all);
  BOOST_TEST(map.box == (std::array<std::uint16_t, 5>{8, 64, 4, 1, 1}),
             all);  // includes a chunk of padding
  BOOST_TEST(map.address == reinterpret_cast<std::uint64_t>(memory));

  // If blocks own keys, the loop is over queries. With one sample, its stride is unused.
  spec.text = jit::text_id("glga_keys_grad");
  BOOST_TEST((detail::with_tensor_maps(runtime, spec, 1, a) == spec));
  std::memcpy(&map, &a.walk[0], sizeof map);
  BOOST_TEST(map.sizes == (std::array<std::uint64_t, 5>{8, 70, 3, 4, 1}), all);
  BOOST_TEST(map.strides == (std::array<std::uint64_t, 4>{192, 16, 48, 16}), all);
  BOOST_TEST(map.box == (std::array<std::uint16_t, 5>{8, 32, 4, 1, 1}), all);

  // Broadcast samples (stride 0) and rows that are not 16-byte aligned cannot be mapped.
  jit::KernelSpec plain = spec;
  plain.constants[eflow::detail::GlgaConstant::kBulkCopies] = 0;
  BOOST_TEST((detail::with_tensor_maps(runtime, spec, 2, a) == plain));
  a.q.row = 97;
  BOOST_TEST((detail::with_tensor_maps(runtime, spec, 1, a) == plain));
  driver.calls.clear();
  BOOST_TEST((detail::with_tensor_maps(runtime, plain, 1, a) == plain));
  BOOST_TEST(driver.calls.empty());
}
