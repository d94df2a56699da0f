// Buffers are allocated and freed with malloc and free, as HDF5 itself does. The plug-in therefore
// needs no HDF5 library and works with any that the reader has loaded.
#include "eflow/io/shard/h5_zstd_filter.hpp"

#include <hdf5.h>
#include <zstd.h>

#include <cstdlib>

namespace eflow::io {
namespace {

/// HDF5 chunks are smaller than 4 GiB. Bounds the allocation for a hostile frame header.
constexpr unsigned long long kLargestChunk = 0xffffffffull;

/// Replaces the pipeline's buffer with `result`, of which `used` bytes are valid. On failure frees
/// `result` and returns 0.
std::size_t replace(void* result, std::size_t used, std::size_t capacity, std::size_t* buffer_size,
                    void** buffer) {
  if (ZSTD_isError(used) || used == 0) {
    std::free(result);
    return 0;
  }
  std::free(*buffer);
  *buffer = result;
  *buffer_size = capacity;
  return used;
}

std::size_t decompress(std::size_t bytes, std::size_t* buffer_size, void** buffer) {
  const unsigned long long raw = ZSTD_getFrameContentSize(*buffer, bytes);
  if (raw == ZSTD_CONTENTSIZE_ERROR || raw == ZSTD_CONTENTSIZE_UNKNOWN || raw > kLargestChunk) {
    return 0;
  }
  const auto capacity = static_cast<std::size_t>(raw);
  void* result = std::malloc(capacity ? capacity : 1);
  if (!result) return 0;
  return replace(result, ZSTD_decompress(result, capacity, *buffer, bytes), capacity, buffer_size,
                 buffer);
}

std::size_t compress(int level, std::size_t bytes, std::size_t* buffer_size, void** buffer) {
  const std::size_t capacity = ZSTD_compressBound(bytes);
  void* result = std::malloc(capacity);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  std::size_t used = 0;
  if (result && context) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    used = ZSTD_compress2(context, result, capacity, *buffer, bytes);
  }
  ZSTD_freeCCtx(context);
  return replace(result, used, capacity, buffer_size, buffer);
}

/// The H5Z_func_t. Returns the number of valid bytes in *buffer, or 0 on failure.
std::size_t filter(unsigned flags, std::size_t value_count, const unsigned values[],
                   std::size_t bytes, std::size_t* buffer_size, void** buffer) {
  if (flags & H5Z_FLAG_REVERSE) return decompress(bytes, buffer_size, buffer);
  const int level = value_count > 0 ? static_cast<int>(values[0]) : 1;
  return compress(level, bytes, buffer_size, buffer);
}

const H5Z_class2_t kFilterClass = {H5Z_CLASS_T_VERS,
                                   static_cast<H5Z_filter_t>(kH5ZstdFilter),
                                   1,
                                   1,
                                   "Zstandard compression: http://www.zstd.net",
                                   nullptr,
                                   nullptr,
                                   filter};

}  // namespace

const void* h5_zstd_filter_class() {
  return &kFilterClass;
}

}  // namespace eflow::io
