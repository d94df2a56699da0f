#include "eflow/io/items/h5/h5_source.hpp"

#include <cstring>
#include <optional>

#include "eflow/io/items/array_bytes.hpp"
#include "eflow/io/items/h5/h5_reader.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

/// The array that the other process says it reads. Checks everything: that process may be under the
/// file's control.
RawArray checked(const H5Info::Array& array, const std::string& path) {
  RawArray out;
  if (array.rank >= 8 || array.element >= kElementNames.size())
    throw CorruptData(str("[h5] ", path, ": the process that reads it sent nonsense"));
  out.element = static_cast<Element>(array.element);
  std::uint64_t bytes = size_of(out.element);
  for (std::uint32_t i = 0; i < array.rank; ++i) {
    const std::int64_t size = array.sizes[i];
    if (size < 1 || static_cast<std::uint64_t>(size) > kMaxH5Row / bytes)
      throw CorruptData(str("[h5] ", path, ": rows of more than ", kMaxH5Row, " bytes"));
    bytes *= static_cast<std::uint64_t>(size);
    out.shape.push_back(size);
  }
  return out;
}

}  // namespace

bool is_h5(const fs::path& path) {
  const std::string end = path.extension().string();
  return end == ".h5" || end == ".hdf5" || end == ".hdf";
}

struct H5Source::Rep {
  fs::path path;
  H5Options options;
  std::unique_ptr<IsolatedProcess> process;
  std::int64_t rows = 0, at = 0;
  RawArray clip{}, context{};  // without content

  void start();
  std::vector<std::byte> receive(std::uint32_t kind, std::uint64_t bytes);
};

void H5Source::Rep::start() {
  const H5Paths paths{options.clip, options.labels, options.context};
  process.reset();
  process = std::make_unique<IsolatedProcess>(
      "[h5] " + path.string(), [&](Sender& sender) { send_h5(path.string(), paths, sender); },
      IsolationLimits{.seconds = options.seconds});
  const std::vector<std::byte> bytes = receive(kH5Info, sizeof(H5Info));
  H5Info info;
  std::memcpy(&info, bytes.data(), sizeof info);
  if (info.rows < 0) throw CorruptData(str("[h5] ", path.string(), ": ", info.rows, " rows"));
  rows = info.rows, at = 0;
  clip = checked(info.clip, path.string());
  if (!options.context.empty()) context = checked(info.context, path.string());
}

/// Receives a message that must be of this kind and size.
std::vector<std::byte> H5Source::Rep::receive(std::uint32_t kind, std::uint64_t bytes) {
  Message message;
  if (!process->receive(message, bytes))
    throw CorruptData(str("[h5] ", path.string(), ": the process that reads it ended early"));
  if (message.kind != kind || message.bytes.size() != bytes)
    throw CorruptData(str("[h5] ", path.string(), ": the process that reads it sent nonsense"));
  return std::move(message.bytes);
}

H5Source::H5Source(fs::path path, H5Options options)
    : rep_(new Rep{std::move(path), std::move(options), nullptr, 0, 0, {}, {}}) {
  if (!fs::is_regular_file(rep_->path))
    throw IoError(str("[h5] ", rep_->path.string(), " is not a regular file"));
  rep_->start();
}

H5Source::~H5Source() = default;

std::int64_t H5Source::expected() const {
  return rep_->rows;
}

void H5Source::rewind() {
  rep_->start();
}

bool H5Source::next(Item& item) {
  Rep& rep = *rep_;
  if (rep.at == rep.rows) return false;
  const auto bytes_of = [](const RawArray& array) {
    return static_cast<std::uint64_t>(element_count(array.shape)) * size_of(array.element);
  };
  item = Item{};
  item.source = str(rep.path.filename().string(), "#", rep.at++);
  if (!rep.options.labels.empty()) {
    const auto bytes = rep.receive(kH5Label, 8);
    std::int64_t label = 0;
    std::memcpy(&label, bytes.data(), 8);
    item.label = label;
  }
  RawArray context = rep.context;
  if (!rep.options.context.empty()) context.bytes = rep.receive(kH5Context, bytes_of(context));
  item.clip = rep.clip;
  item.clip.bytes = rep.receive(kH5Clip, bytes_of(item.clip));
  if (rep.options.context.empty()) return true;
  try {
    item.captions.push_back(
        {"", token_rows(std::move(context), item.source + ", " + rep.options.context)});
  } catch (const InvalidArgument& error) {
    throw ItemFault(item.source, error.what());
  }
  return true;
}

}  // namespace eflow::io
