// Packs NumPy arrays and clip sources. The labels are checked and the content is hashed before the
// writer opens: the hash is part of the content key, and a wrong label fails early.
#include "eflow/io/dataset/pack.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/dataset/clip_values.hpp"
#include "eflow/io/dataset/npy.hpp"

namespace eflow::io {
namespace {

/// The mapping from stored elements to model values. Float pixels in [0, 1] are stored unchanged
/// and mapped on reading.
ValueMapping mapping_of(DType input, DType stored, FloatRange range) {
  if (input == DType::kU8 || stored == DType::kU8) return kPixelMapping;
  return range == FloatRange::kUnit ? ValueMapping{2.0, -1.0} : ValueMapping{};
}

/// The mapping from input elements to model values ([-1, 1] for pixels).
ValueMapping input_mapping(DType input, FloatRange range) {
  return input == DType::kU8 ? kPixelMapping : mapping_of(input, DType::kF32, range);
}

NpyFile open_videos(const std::filesystem::path& path) {
  NpyFile file(path);
  if (file.dtype() != DType::kU8 && file.dtype() != DType::kF32 && file.dtype() != DType::kF64) {
    throw InvalidArgument(
        str("[pack] ", path.string(), " holds ", file.dtype(), "; videos must be u8, f32 or f64"));
  }
  if (file.shape().rank() < 4 || element_count(file.shape()) == 0) {
    throw InvalidArgument(str("[pack] ", path.string(), " has shape ", file.shape(),
                              "; expected clips such as [N, T, H, W, C]"));
  }
  return file;
}

DType stored_dtype(DType input, const PackOptions& options) {
  const DType stored = options.dtype.value_or(input == DType::kU8 ? DType::kU8 : DType::kF32);
  if (input == DType::kU8 && stored != DType::kU8) {
    throw InvalidArgument(str("[pack] u8 videos are stored as u8, not ", stored));
  }
  if (stored == DType::kU8 && input != DType::kU8 && options.float_range == FloatRange::kAny) {
    throw InvalidArgument("[pack] latents of any range cannot be stored as u8; use bf16 or f32");
  }
  return stored;
}

std::vector<std::int64_t> read_integers(const NpyFile& file, const std::string& where) {
  const auto n = static_cast<std::size_t>(file.rows());
  std::vector<std::byte> bytes(n * size_of(file.dtype()));
  file.read_rows(0, file.rows(), bytes);
  std::vector<std::int64_t> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (file.dtype() == DType::kU8) {
      out[i] = std::to_integer<std::int64_t>(bytes[i]);
    } else if (file.dtype() == DType::kI32) {
      std::int32_t v;
      std::memcpy(&v, bytes.data() + 4 * i, 4);
      out[i] = v;
    } else if (file.dtype() == DType::kI64) {
      std::memcpy(&out[i], bytes.data() + 8 * i, 8);
    } else {
      throw InvalidArgument(
          str("[pack] ", where, " holds ", file.dtype(), "; labels must be u8, i32 or i64"));
    }
  }
  return out;
}

struct Labels {
  std::vector<std::int32_t> values;
  std::int64_t class_count = 0;
};

Labels read_labels(const std::filesystem::path& path, std::int64_t clips,
                   const PackOptions& options) {
  Labels out;
  out.class_count = options.class_count > 0 ? options.class_count
                                            : static_cast<std::int64_t>(options.class_names.size());
  if (path.empty()) {
    if (out.class_count > 0) {
      throw InvalidArgument("[pack] classes were given without labels; add the labels' .npy file");
    }
    out.values.resize(static_cast<std::size_t>(clips));
    return out;
  }
  const NpyFile file(path);
  if (file.shape().rank() != 1 || file.rows() != clips) {
    throw InvalidArgument(str("[pack] ", path.string(), " has shape ", file.shape(),
                              "; expected one label for each of the ", clips, " clips, [", clips,
                              "]"));
  }
  const std::vector<std::int64_t> read = read_integers(file, path.string());
  if (out.class_count == 0) out.class_count = *std::max_element(read.begin(), read.end()) + 1;
  out.class_count = std::max<std::int64_t>(out.class_count, 1);
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (read[i] < 0 || read[i] >= out.class_count) {
      throw InvalidArgument(str("[pack] ", path.string(), ", clip ", i, ": label ", read[i],
                                " is not in 0 to ", out.class_count - 1));
    }
    out.values.push_back(static_cast<std::int32_t>(read[i]));
  }
  return out;
}

/// Hashes the array's content, chained clip by clip so that memory stays bounded.
std::string content_of(const NpyFile& file, const std::stop_token& stop) {
  std::vector<std::byte> row(static_cast<std::size_t>(file.row_elements()) * size_of(file.dtype()));
  Hash128 chain;
  for (std::int64_t i = 0; i < file.rows() && !stop.stop_requested(); ++i) {
    file.read_rows(i, 1, row);
    const std::array<Hash128, 2> link{chain, hash128(row)};
    chain = hash128(std::as_bytes(std::span(link)));
  }
  return to_hex(chain);
}

/// Writes all clips; fill(i, bytes) stores the encoded bytes of clip i and returns its label.
template <class Fill>
PackReport write_all_clips(const std::filesystem::path& out, const DatasetSpec& spec,
                           std::int64_t clips, const PackOptions& options, const Fill& fill) {
  DatasetWriter writer(out, spec, options.limits);
  PackReport report;
  report.spec = spec;
  report.already_there = writer.complete();
  report.continued_from = report.already_there ? 0 : writer.clips_done();
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(spec.shape)) *
                               size_of(spec.dtype));
  for (std::int64_t i = writer.clips_done(); i < clips; ++i) {
    if (options.stop.stop_requested()) {
      report.clips = i;
      return report;
    }
    const std::int32_t label = fill(i, bytes);
    writer.add(bytes, label);
    if (options.progress) options.progress(i + 1, clips);
  }
  const Manifest manifest = writer.finish();
  report.finished = true;
  report.clips = manifest.count;
  for (const ShardEntry& shard : manifest.shards) report.stored_bytes += shard.bytes;
  return report;
}

DatasetSpec make_spec(DType dtype, const Shape& shape, std::int64_t class_count,
                      const PackOptions& options) {
  DatasetSpec spec;
  spec.dtype = dtype;
  spec.shape = shape;
  spec.class_count = class_count;
  spec.class_names = options.class_names;
  spec.fps = options.fps;
  return spec;
}

}  // namespace

PackReport pack_npy(const std::filesystem::path& videos, const std::filesystem::path& labels,
                    const std::filesystem::path& out, const PackOptions& options) {
  const NpyFile file = open_videos(videos);
  const std::string where = videos.string();
  const std::string layout =
      options.layout.empty() ? infer_layout(file.shape(), where) : options.layout;
  const ClipWalk walk = walk_of(layout, file.shape(), where);
  const Labels read = read_labels(labels, file.rows(), options);

  DatasetSpec spec =
      make_spec(stored_dtype(file.dtype(), options), walk.shape, read.class_count, options);
  spec.mapping = mapping_of(file.dtype(), spec.dtype, options.float_range);
  spec.creator = "eflow data pack";
  spec.check();
  const std::string content = content_of(file, options.stop);
  if (options.stop.stop_requested()) return {.layout = layout, .spec = spec};
  spec.content_key = str(content, "-", to_hex(hash64(std::as_bytes(std::span(read.values)))), "-",
                         layout, "-", static_cast<int>(options.float_range));

  const ValueRange allowed = range_of(file.dtype(), options.float_range);
  const ValueMapping to_values = input_mapping(file.dtype(), options.float_range);
  std::vector<std::byte> clip(static_cast<std::size_t>(file.row_elements()) *
                              size_of(file.dtype()));
  Values values(static_cast<std::size_t>(element_count(walk.shape)));
  PackReport report = write_all_clips(out, spec, file.rows(), options,
                                      [&](std::int64_t i, std::span<std::byte> bytes) {
                                        file.read_rows(i, 1, clip);
                                        gather(file.dtype(), clip, walk, values);
                                        check_values(values, allowed, i, walk.shape, where);
                                        for (double& v : values)
                                          v = v * to_values.scale + to_values.offset;
                                        encode(values, spec.dtype, spec.mapping, bytes);
                                        return read.values[static_cast<std::size_t>(i)];
                                      });
  report.layout = layout;
  return report;
}

PackReport pack_source(const ClipSource& source, const std::filesystem::path& out,
                       const std::string& content_key, const PackOptions& options) {
  PackOptions named = options;
  if (named.class_names.empty()) named.class_names = source.class_names();
  DatasetSpec spec = make_spec(options.dtype.value_or(DType::kU8), source.clip_shape(),
                               source.class_count(), named);
  spec.mapping = spec.dtype == DType::kU8 ? kPixelMapping : ValueMapping{};
  spec.fps = source.fps();
  spec.content_key = content_key;
  std::vector<float> clip(static_cast<std::size_t>(element_count(spec.shape)));
  Values values(clip.size());
  const ValueRange allowed =
      range_of(DType::kF32, spec.dtype == DType::kU8 ? FloatRange::kSymmetric : FloatRange::kAny);
  PackReport report = write_all_clips(out, spec, source.size(), options,
                                      [&](std::int64_t i, std::span<std::byte> bytes) {
                                        const std::int32_t label = source.read(i, clip);
                                        std::copy(clip.begin(), clip.end(), values.begin());
                                        check_values(values, allowed, i, spec.shape, "the source");
                                        encode(values, spec.dtype, spec.mapping, bytes);
                                        return label;
                                      });
  report.layout = "NCTHW";
  return report;
}

}  // namespace eflow::io
