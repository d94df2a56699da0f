#include "eflow/io/shard/zstd_codec.hpp"

#include <zstd.h>

#include <memory>

#include "eflow/core/base/error.hpp"

namespace eflow::io {
namespace {

/// One context per thread, because contexts are large and slow to create.
ZSTD_DCtx* decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  &ZSTD_freeDCtx);
  if (!context) throw Error("[zstd] cannot allocate a context");
  return context.get();
}

std::size_t check(std::size_t code, const char* what) {
  if (ZSTD_isError(code)) throw Error(str("[zstd] ", what, ": ", ZSTD_getErrorName(code)));
  return code;
}

}  // namespace

std::vector<std::byte> zstd_compress(std::span<const std::byte> raw, int level) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  if (!context) throw Error("[zstd] cannot allocate a context");
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level), "level");
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1), "checksum");
  std::vector<std::byte> frame(ZSTD_compressBound(raw.size()));
  frame.resize(
      check(ZSTD_compress2(context.get(), frame.data(), frame.size(), raw.data(), raw.size()),
            "compress"));
  return frame;
}

std::optional<std::string> zstd_decompress(std::span<const std::byte> frame,
                                           std::span<std::byte> raw) {
  const unsigned long long declared = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR) return "not a zstd frame";
  if (declared == ZSTD_CONTENTSIZE_UNKNOWN) return "the zstd frame does not state its size";
  if (declared != raw.size()) {
    return str("the zstd frame declares ", declared, " bytes, expected ", raw.size());
  }
  const std::size_t length = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(length)) return str("invalid zstd frame: ", ZSTD_getErrorName(length));
  if (length != frame.size()) {
    return str("the zstd frame ends after ", length, " bytes of ", frame.size());
  }
  const std::size_t got = ZSTD_decompressDCtx(decompression_context(), raw.data(), raw.size(),
                                              frame.data(), frame.size());
  if (ZSTD_isError(got)) return str("invalid zstd frame: ", ZSTD_getErrorName(got));
  if (got != raw.size()) return str("decoded ", got, " bytes, expected ", raw.size());
  return std::nullopt;
}

std::size_t zstd_bound(std::size_t raw) {
  return ZSTD_compressBound(raw);
}

}  // namespace eflow::io
