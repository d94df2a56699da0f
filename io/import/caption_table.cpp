#include "eflow/io/import/caption_table.hpp"

#include <array>
#include <cmath>
#include <cstring>

#include "eflow/core/base/atomic_file.hpp"

namespace eflow::io {
namespace {

/// Hashes a file piece by piece.
Hash128 hash_of_file(const std::filesystem::path& path) {
  constexpr std::uint64_t kPiece = 8 << 20;
  const FileDescriptor file = open_read(path);
  const std::uint64_t size = std::filesystem::file_size(path);
  std::vector<std::byte> piece(std::min(size, kPiece));
  Hash128 chain;
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    piece.resize(std::min(size - at, kPiece));
    read_at(file, path, at, piece);
    const std::array<Hash128, 2> link{chain, hash128(piece)};
    chain = hash128(std::as_bytes(std::span(link)));
  }
  return chain;
}

std::string shortened(const std::string& text) {
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

std::vector<float> values_of(const ResolvedCaption& caption, const CaptionTable* table) {
  if (!caption.own) return table->table().read(caption.in_table);
  const RawArray& own = *caption.own;
  std::vector<float> values(static_cast<std::size_t>(element_count(own.shape)));
  to_floats(own.element, own.bytes, values);
  return values;
}

}  // namespace

CaptionTable::CaptionTable(const std::filesystem::path& path)
    : table_(path), hash_(hash_of_file(path)) {
  for (std::int64_t i = 0; i < table_.size(); ++i) numbers_.emplace(table_.caption(i), i);
}

std::int64_t CaptionTable::find(const std::string& text) const {
  const auto found = numbers_.find(text);
  if (found != numbers_.end()) return found->second;
  throw InvalidArgument(str("[import] ", table_.path().string(), " does not have the caption \"",
                            shortened(text),
                            "\"; list the captions with `eflow data captions` and encode them "
                            "(scripts/python/encode_captions.py)"));
}

std::vector<ResolvedCaption> resolve_captions(const Item& item, std::int64_t index,
                                              const CaptionTable* table) {
  std::vector<ResolvedCaption> out;
  for (const ItemCaption& caption : item.captions) {
    if (caption.embedding)
      out.push_back({caption.text, &*caption.embedding, -1, caption.embedding->shape[0]});
  }
  if (!out.empty() || !table) return out;
  std::vector<std::int64_t> numbers;
  const auto& assigned = table->table().clip_captions();
  if (!item.captions.empty()) {
    for (const ItemCaption& caption : item.captions) numbers.push_back(table->find(caption.text));
  } else if (index < static_cast<std::int64_t>(assigned.size())) {
    numbers = assigned[static_cast<std::size_t>(index)];
  }
  for (const std::int64_t i : numbers)
    out.push_back({table->table().caption(i), nullptr, i, table->table().rows(i)});
  return out;
}

CaptionRecord record_of(const ResolvedCaption& caption, const CaptionTable* table, DType dtype) {
  const std::vector<float> values = values_of(caption, table);
  CaptionRecord out{caption.text, caption.rows, {}};
  out.embedding.resize(values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw InvalidArgument(str("[import] the embedding of \"", shortened(caption.text),
                                "\" has the value ", values[i]));
    }
    if (dtype == DType::kBF16) {
      const bfloat16 half(values[i]);
      std::memcpy(out.embedding.data() + 2 * i, &half, 2);
    } else {
      std::memcpy(out.embedding.data() + 4 * i, &values[i], 4);
    }
  }
  return out;
}

}  // namespace eflow::io
