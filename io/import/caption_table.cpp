#include "eflow/io/import/caption_table.hpp"

#include <array>
#include <cmath>
#include <cstring>

#include "eflow/core/base/atomic_file.hpp"

namespace eflow::io {
namespace {

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

CaptionTable::CaptionTable(const std::filesystem::path& path) : table_(path), hash_(table_.hash()) {
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
  return make_caption(caption.text, caption.rows, values_of(caption, table), dtype);
}

}  // namespace eflow::io
