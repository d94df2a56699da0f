#include "eflow/core/attention/glga_tensor_maps.hpp"

#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/jit/cuda/tensor_map.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {
namespace {

/// Describes x, heads of `tokens` rows, for copies of tiles of `tile_rows` rows. A tile is stored
/// as columns of 16-byte chunks, so a row is split into a dimension of chunks and one of elements
/// within a chunk: the box [chunks][rows][elements] has the layout of the tile. Chunks beyond the
/// end of a row are read as 0, which is the tile's padding.
jit::TensorBox walk_box(const args::GlgaRows& x, const detail::GlgaFootprint& tiles, DType dtype,
                        std::int64_t tokens, std::int64_t tile_rows, std::int64_t heads,
                        std::int64_t samples) {
  constexpr std::int64_t kChunk = 16;
  const std::int64_t in_chunk = kChunk / tiles.element;
  // The stride of a dimension of size 1 is unused, but must still be a multiple of 16.
  const auto bytes = [&](std::int64_t stride, std::int64_t size) {
    return size == 1 ? kChunk : stride * tiles.element;
  };
  const std::int64_t padded = (tiles.head + 15) / 16 * 16;  // channels of a tile
  return {.dtype = dtype,
          .address = x.p,
          .sizes = {in_chunk, tokens, tiles.head / in_chunk, heads, samples},
          .strides = {bytes(x.row, tokens), kChunk, bytes(x.head, heads), bytes(x.batch, samples)},
          .box = {static_cast<int>(in_chunk), static_cast<int>(tile_rows),
                  static_cast<int>(padded / in_chunk), 1, 1}};
}

}  // namespace

jit::KernelSpec with_tensor_maps(const jit::Runtime& runtime, const jit::KernelSpec& spec,
                                 std::int64_t samples, args::Glga& a) {
  if (spec.constants[eflow::detail::GlgaConstant::kBulkCopies] == 0) return spec;
  const auto context = runtime.cuda_context();
  // Other architectures ignore tensor maps.
  if (!context || context->device().arch() != "sm_90a") return spec;
  const detail::GlgaFootprint tiles(spec);
  const bool by_keys = spec.text == jit::text_id("glga_keys_grad");
  const args::GlgaRows* const rows[] = {by_keys ? &a.q : &a.k, by_keys ? &a.d_local : &a.v};
  for (int i = 0; i < 2; ++i) {
    const jit::TensorBox box =
        walk_box(*rows[i], tiles, static_cast<DType>(spec.dtypes[0]), by_keys ? a.queries : a.keys,
                 by_keys ? tiles.rows : tiles.keys, a.heads, samples);
    if (jit::encode_tensor_map(*context, box, &a.walk[i])) continue;
    jit::KernelSpec plain = spec;
    plain.constants[eflow::detail::GlgaConstant::kBulkCopies] = 0;
    return plain;
  }
  return spec;
}

}  // namespace eflow::detail
