#include "eflow/io/shard/clip_record.hpp"

#include <cmath>
#include <cstring>
#include <utility>

#include "eflow/core/base/error.hpp"

namespace eflow::io {

CaptionRecord make_caption(std::string text, std::int64_t rows, std::span<const float> values,
                           DType dtype) {
  CaptionRecord caption{std::move(text), rows, {}};
  caption.embedding.resize(values.size() * size_of(dtype));
  std::byte* to = caption.embedding.data();
  for (const float value : values) {
    if (!std::isfinite(value)) {
      throw InvalidArgument(str("[dataset] the embedding of the caption \"",
                                caption.text.substr(0, 80), "\" has the value ", value,
                                "; encode it again"));
    }
    const bfloat16 half(value);
    const void* const from = dtype == DType::kBF16 ? static_cast<const void*>(&half) : &value;
    std::memcpy(to, from, size_of(dtype));
    to += size_of(dtype);
  }
  return caption;
}

}  // namespace eflow::io
