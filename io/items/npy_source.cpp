#include "eflow/io/items/npy_source.hpp"

#include <array>

#include "eflow/io/dataset/npy.hpp"
#include "eflow/io/dataset/npy_header.hpp"

namespace eflow::io {
namespace fs = std::filesystem;

NpySource::NpySource(const fs::path& clips, const fs::path& labels, bool two_bytes_are_bf16)
    : path_(clips), file_(open_read(clips)) {
  const std::uint64_t size = fs::file_size(clips);
  std::array<std::byte, kNpyStart> start{};
  if (size >= start.size()) read_at(file_, path_, 0, start);
  const auto [begin, length] = npy_header_range(start, size, clips.string());
  std::string text(length, '\0');
  read_at(file_, path_, begin, std::as_writable_bytes(std::span(text.data(), text.size())));
  const auto header = parse_npy_element_header(text, clips.string(), two_bytes_are_bf16);
  element_ = header.element, shape_ = header.shape, offset_ = begin + length;
  check_npy_size(shape_, size_of(element_), offset_, size, clips.string());
  if (shape_.rank() < 2 || element_count(shape_) == 0) {
    throw InvalidArgument(str("[import] ", clips.string(), " has shape ", shape_,
                              "; expected clips such as [N, T, H, W, C]"));
  }
  if (labels.empty()) return;
  NpyIntegers read = read_npy_integers(labels);
  if (read.shape.rank() != 1 || read.shape[0] != shape_[0]) {
    throw InvalidArgument(str("[import] ", labels.string(), " has shape ", read.shape,
                              "; expected one label for each of the ", shape_[0], " clips, [",
                              shape_[0], "]"));
  }
  labels_ = std::move(read.values);
}

bool NpySource::next(Item& item) {
  if (at_ == shape_[0]) return false;
  const std::int64_t row = at_++;
  item = Item{};
  item.source = str(path_.filename().string(), "#", row);
  item.clip.element = element_;
  for (int i = 1; i < shape_.rank(); ++i) item.clip.shape.push_back(shape_[i]);
  item.clip.bytes.resize(static_cast<std::size_t>(element_count(item.clip.shape)) *
                         size_of(element_));
  read_at(file_, path_, offset_ + static_cast<std::uint64_t>(row) * item.clip.bytes.size(),
          item.clip.bytes);
  if (!labels_.empty()) item.label = labels_[static_cast<std::size_t>(row)];
  return true;
}

}  // namespace eflow::io
