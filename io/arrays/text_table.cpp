#include "eflow/io/arrays/text_table.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/json_fields.hpp"

namespace eflow::io {
namespace {

constexpr std::string_view kNegative = "negative.";
constexpr std::int64_t kMaxRows = 1 << 16;  ///< of one caption
constexpr std::int64_t kMaxWidth = 1 << 20;

[[noreturn]] void refuse(const SafetensorsFile& file, const std::string& fault) {
  throw CorruptData(str("[text] ", file.path().string(), ": ", fault));
}

/// Checks the array of an embedding, [rows, width], and returns its rows. width 0: any.
std::int64_t rows_of(const SafetensorsFile& file, const std::string& name, std::int64_t width) {
  const StoredArray& array = file.array(name);
  const bool known = array.dtype == "F16" || array.dtype == "BF16" || array.dtype == "F32";
  const bool good = array.shape.rank() == 2 && array.shape[0] >= 1 && array.shape[1] >= 1 &&
                    array.shape[1] <= kMaxWidth && (width == 0 || array.shape[1] == width);
  if (!known || !good) {
    refuse(file,
           str("array \"", name, "\" is ", array.shape, " ", array.dtype, "; expected [rows, ",
               width == 0 ? std::string("width") : str(width), "] of F16, BF16 or F32"));
  }
  return array.shape[0];
}

/// Reads ascending ends of [0, total), the last of which is `total`.
std::vector<std::int64_t> read_ends(const SafetensorsFile& file, const std::string& name,
                                    std::int64_t total, std::int64_t least, std::int64_t most) {
  const std::vector<std::int64_t> ends = file.read_integers(name);
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] < begin + least || ends[i] > total || ends[i] - begin > most) {
      refuse(file, str("array \"", name, "\", element ", i, ": ", ends[i], " after ", begin,
                       "; expected ", least, " to ", most, " more, and at most ", total));
    }
    begin = ends[i];
  }
  if (begin != total)
    refuse(file, str("array \"", name, "\" ends at ", begin, "; expected ", total));
  return ends;
}

}  // namespace

TextTable::TextTable(const std::filesystem::path& path) : file_(path) {
  if (!file_.contains("embeddings") || !file_.contains("ends")) {
    throw InvalidArgument(str("[text] ", path.string(),
                              " is no table of captions: expected the arrays \"embeddings\" and "
                              "\"ends\", as scripts/python/encode_captions.py writes them"));
  }
  const std::int64_t rows = rows_of(file_, "embeddings", 0);
  width_ = file_.array("embeddings").shape[1];
  ends_ = read_ends(file_, "ends", rows, 1, kMaxRows);
  read_captions();
  read_clip_captions();
  for (std::int64_t i = 0; i < size(); ++i) longest_ = std::max(longest_, this->rows(i));
  for (const auto& [name, array] : file_.arrays()) {
    if (name == "null" || name.starts_with(kNegative))
      longest_ = std::max(longest_, rows_of(file_, name, width_));
  }
  max_length_ = longest_;
  if (const std::string text = file_.metadata("max_length"); !text.empty()) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), max_length_);
    if (code != std::errc() || end != text.data() + text.size() || max_length_ < longest_ ||
        max_length_ > kMaxRows) {
      refuse(file_, str("metadata max_length is \"", text, "\"; expected ", longest_, " to ",
                        kMaxRows, ", as the longest caption has ", longest_, " tokens"));
    }
  }
}

void TextTable::read_captions() {
  if (!file_.contains("captions")) {
    captions_.resize(ends_.size());
    return;
  }
  const StoredArray& pool = file_.array("captions");
  if (pool.dtype != "U8") refuse(file_, "array \"captions\" is not U8");
  std::string text(pool.bytes, '\0');
  file_.read(pool, 0, std::as_writable_bytes(std::span(text.data(), text.size())));
  const auto ends = read_ends(file_, "caption_ends", static_cast<std::int64_t>(text.size()), 0,
                              static_cast<std::int64_t>(text.size()));
  if (ends.size() != ends_.size())
    refuse(file_, str(ends.size(), " captions for ", ends_.size(), " embeddings"));
  std::size_t begin = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto end = static_cast<std::size_t>(ends[i]);
    captions_.push_back(text.substr(begin, end - begin));
    if (!is_utf8(captions_.back())) refuse(file_, str("caption ", i, " is not UTF-8"));
    begin = end;
  }
}

void TextTable::read_clip_captions() {
  if (!file_.contains("clip_captions")) return;
  const Shape shape = file_.array("clip_captions").shape;
  if (shape.rank() != 2)
    refuse(file_, str("array \"clip_captions\" is ", shape, "; expected [clips, captions]"));
  const std::vector<std::int64_t> numbers = file_.read_integers("clip_captions");
  clips_.resize(static_cast<std::size_t>(shape[0]));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t clip = i / static_cast<std::size_t>(shape[1]);
    if (numbers[i] < -1 || numbers[i] >= size())
      refuse(file_, str("clip ", clip, " has caption ", numbers[i], " of ", size()));
    if (numbers[i] >= 0) clips_[clip].push_back(numbers[i]);
  }
  for (std::size_t clip = 0; clip < clips_.size(); ++clip)
    if (clips_[clip].empty()) refuse(file_, str("clip ", clip, " has no caption"));
}

DType TextTable::dtype() const {
  return file_.array("embeddings").dtype == "BF16" ? DType::kBF16 : DType::kF32;
}

std::int64_t TextTable::rows(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  return ends_.at(at) - (at == 0 ? 0 : ends_[at - 1]);
}

std::optional<std::int64_t> TextTable::find(const std::string& caption) const {
  const auto found = std::find(captions_.begin(), captions_.end(), caption);
  if (found == captions_.end()) return std::nullopt;
  return found - captions_.begin();
}

std::vector<float> TextTable::read(std::int64_t i) const {
  std::vector<float> values(static_cast<std::size_t>(rows(i) * width_));
  file_.read_floats("embeddings", (ends_[static_cast<std::size_t>(i)] - rows(i)) * width_, values);
  return values;
}

Hash128 TextTable::hash() const {
  constexpr std::uint64_t kPiece = 1 << 20;
  const FileDescriptor file = open_read(path());
  const std::uint64_t size = std::filesystem::file_size(path());
  std::vector<std::byte> piece;
  Hash128 chain;
  for (std::uint64_t at = 0; at < size; at += kPiece) {
    piece.resize(std::min(kPiece, size - at));
    read_at(file, path(), at, piece);
    const std::array<Hash128, 2> link{chain, hash128(piece)};
    chain = hash128(std::as_bytes(std::span(link)));
  }
  return chain;
}

std::vector<std::string> TextTable::prompt_names() const {
  std::vector<std::string> names;
  for (const auto& [name, array] : file_.arrays()) {
    if (name == "null") names.push_back(name);
    if (name.starts_with(kNegative)) names.push_back(name.substr(kNegative.size()));
  }
  return names;
}

std::vector<float> TextTable::read_prompt(const std::string& name) const {
  const std::string array = name == "null" ? name : str(kNegative, name);
  const auto elements = static_cast<std::size_t>(element_count(file_.array(array).shape));
  std::vector<float> values(elements);
  file_.read_floats(array, 0, values);
  return values;
}

}  // namespace eflow::io
