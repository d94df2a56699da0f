#pragma once
// Checks every primitive of the tile vocabulary on a device, against scalar loops there and against
// the same text on the CPU. For tests that link eflow_tile_primitives.

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/jit/tile_texts.hpp"

namespace eflow_text_baseline {
extern const TileEntry kTileEntries[];
}

namespace eflow::test {

using TileRecords = std::vector<TileRecord>;

/// Results of a case on the CPU, with the baseline instruction set.
inline TileRecords tile_records_of_cpu(const std::string& expression) {
  const TileEntry* entry = eflow_text_baseline::kTileEntries;
  while (entry->name != nullptr && entry->name != expression) ++entry;
  BOOST_REQUIRE_MESSAGE(entry->name != nullptr, "no case " << expression);
  using Bytes = std::unique_ptr<char, decltype(&std::free)>;
  const Bytes memory(static_cast<char*>(std::aligned_alloc(128, kTileMemory)), &std::free);
  const Bytes scratch(static_cast<char*>(std::aligned_alloc(128, 1 << 20)), &std::free);
  TileRecords records(kTileRecords);
  int count = 0;
  const TileCase args{records.data(), &count, memory.get()};
  const jit::HostBlock block{0, 0, 0, 1, 1, 1, scratch.get(), 1 << 20};
  entry->run(&block, &args);
  records.resize(static_cast<std::size_t>(count));
  return records;
}

/// The same on a device whose runtime has the kernel.
inline TileRecords tile_records_of(Device& device, const jit::KernelRef& kernel) {
  constexpr std::size_t kRecordBytes = kTileRecords * sizeof(TileRecord);
  void* const memory = device.allocate(kTileMemory, {});
  void* const found = device.allocate(kRecordBytes, {});
  void* const counted = device.allocate(sizeof(int), {});
  device.fill_zero(counted, sizeof(int), {});
  const TileCase args{static_cast<TileRecord*>(found), static_cast<int*>(counted),
                      static_cast<char*>(memory)};
  device.launch(kernel.name, kernel.spec, {.x = 1}, args);
  TileRecords records(kTileRecords);
  int count = 0;
  device.copy_out(&count, counted, sizeof count, {});
  device.copy_out(records.data(), found, kRecordBytes, {});
  device.synchronize({});
  device.release(counted, sizeof(int), {});
  device.release(found, kRecordBytes, {});
  device.release(memory, kTileMemory, {});
  records.resize(static_cast<std::size_t>(count));
  return records;
}

inline void check_tile_case(Device& device, const TileKernel& tile) {
  const TileRecords expected = tile_records_of_cpu(tile.expression),
                    found = tile_records_of(device, tile.kernel);
  BOOST_TEST(found.size() > 0u);
  BOOST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const TileRecord &f = found[i], &e = expected[i];
    BOOST_TEST(std::string(f.what) == e.what);
    BOOST_TEST(f.error <= f.limit, f.what << " is off by " << f.error << " of " << f.limit);
    BOOST_TEST(f.results == e.results);
    if (!std::isfinite(e.sum)) continue;  // contains masked elements
    const double allowed = 4 * f.limit * static_cast<double>(f.results) + 1e-6 * std::abs(e.sum);
    BOOST_TEST(std::abs(f.sum - e.sum) <= allowed,
               f.what << " sums to " << f.sum << ", on the CPU to " << e.sum);
  }
}

/// Checks all primitives in blocks of `threads` threads.
inline void check_tile_primitives(Device& device, int threads,
                                  std::initializer_list<DType> dtypes) {
  jit::Runtime& runtime = device.runtime();
  for (const jit::TextFile& file : tile_texts()) runtime.add_text(file.path, file.text);
  for (const jit::KernelDefinition& kernel : tile_kernels(threads)) runtime.define(kernel);
  for (const DType dtype : dtypes) {
    const std::vector<TileKernel> cases = tile_cases(dtype, threads);
    std::vector<jit::KernelRef> kernels;
    for (const TileKernel& tile : cases) kernels.push_back(tile.kernel);
    for (const jit::Prepared& made : runtime.prepare(kernels))
      BOOST_REQUIRE_MESSAGE(made.ok(), made.error);
    for (const TileKernel& tile : cases) {
      BOOST_TEST_CONTEXT(tile.expression << ", " << threads << " threads") {
        BOOST_CHECK_NO_THROW(check_tile_case(device, tile));
      }
    }
  }
}

}  // namespace eflow::test
