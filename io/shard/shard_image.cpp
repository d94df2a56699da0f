#include "eflow/io/shard/shard_image.hpp"

#include <cstring>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/shard/h5.hpp"
#include "eflow/io/shard/h5_zstd_filter.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace {

constexpr std::size_t kGrowth = 4 << 20;  // bytes by which HDF5 grows the in-memory file
using Dims = std::vector<hsize_t>;

/// [count, shape...]
Dims dims_of(std::size_t count, const Shape& shape) {
  Dims dims{static_cast<hsize_t>(count)};
  for (const std::int64_t d : shape) dims.push_back(static_cast<hsize_t>(d));
  return dims;
}

h5::Id create_memory_file(std::uint64_t user_block, const std::string& name) {
  const h5::Id creation = h5::make_properties(H5P_FILE_CREATE, name);
  h5::check(H5Pset_userblock(creation.get(), user_block), "H5Pset_userblock", name);
  const h5::Id access = h5::make_properties(H5P_FILE_ACCESS, name);
  h5::check(H5Pset_fapl_core(access.get(), kGrowth, 0), "H5Pset_fapl_core", name);
  return h5::Id(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose,
                "H5Fcreate", name);
}

/// Creates a dataset of compressed elements of `shape`, one per chunk, to be extended by
/// write_frames().
h5::Id create_frames(const h5::Id& file, const char* dataset, DType dtype, const Shape& shape,
                     const std::string& name) {
  const Dims none = dims_of(0, shape), chunk = dims_of(1, shape);
  Dims most = none;
  most[0] = H5S_UNLIMITED;
  const int rank = static_cast<int>(none.size());
  const h5::Id space(H5Screate_simple(rank, none.data(), most.data()), H5Sclose, "H5Screate_simple",
                     name);
  const h5::Id layout = h5::make_properties(H5P_DATASET_CREATE, name);
  // Time stamps would make files of equal content differ.
  h5::check(H5Pset_obj_track_times(layout.get(), false), "H5Pset_obj_track_times", name);
  h5::check(H5Pset_chunk(layout.get(), rank, chunk.data()), "H5Pset_chunk", name);
  h5::check(H5Pset_shuffle(layout.get()), "H5Pset_shuffle", name);
  const unsigned level = kZstdLevel;
  h5::check(H5Pset_filter(layout.get(), kH5ZstdFilter, H5Z_FLAG_MANDATORY, 1, &level),
            "H5Pset_filter", name);
  return h5::Id(H5Dcreate2(file.get(), dataset, h5::file_type(dtype, name).get(), space.get(),
                           H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                H5Dclose, "H5Dcreate2", name);
}

void describe(const h5::Id& latents, const DatasetSpec& spec, const std::string& name) {
  h5::write_attribute(latents, "dtype", std::string(name_of(spec.dtype)), name);
  h5::write_attribute(latents, "layout", std::string("N,C,T,H,W"), name);
  h5::write_attribute(latents, "value_scale", spec.mapping.scale, name);
  h5::write_attribute(latents, "value_offset", spec.mapping.offset, name);
  h5::write_attribute(latents, "fps", spec.fps, name);
}

void write_frames(const h5::Id& dataset, const Shape& shape, std::span<const Frame> frames,
                  const std::string& name) {
  const Dims size = dims_of(frames.size(), shape);
  h5::check(H5Dset_extent(dataset.get(), size.data()), "H5Dset_extent", name);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Dims at(size.size());
    at[0] = static_cast<hsize_t>(i);
    h5::check(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, at.data(), frames[i].size(),
                             frames[i].data()),
              "H5Dwrite_chunk", name);
  }
}

/// Writes a contiguous array.
h5::Id write_array(const h5::Id& file, const char* dataset, DType dtype, const Shape& shape,
                   std::span<const std::byte> bytes, const std::string& name) {
  const h5::Id layout = h5::make_properties(H5P_DATASET_CREATE, name);
  h5::check(H5Pset_obj_track_times(layout.get(), false), "H5Pset_obj_track_times", name);
  h5::check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), "H5Pset_layout", name);
  const h5::Id type = h5::file_type(dtype, name);
  h5::Id data(H5Dcreate2(file.get(), dataset, type.get(), h5::space(shape, name).get(), H5P_DEFAULT,
                         layout.get(), H5P_DEFAULT),
              H5Dclose, "H5Dcreate2", name);
  h5::check(H5Dwrite(data.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
            "H5Dwrite", name);
  return data;
}

/// A table of rows of 64-bit integers, with the names of its columns.
template <class Row>
h5::Id write_rows(const h5::Id& file, const char* dataset, std::span<const Row> rows,
                  const char* columns, const std::string& name) {
  const Shape shape{static_cast<std::int64_t>(rows.size()), sizeof(Row) / 8};
  h5::Id table = write_array(file, dataset, DType::kI64, shape, std::as_bytes(rows), name);
  h5::write_attribute(table, "columns", std::string(columns), name);
  return table;
}

std::vector<std::byte> copy_image(const h5::Id& file, const std::string& name) {
  h5::check(H5Fflush(file.get(), H5F_SCOPE_LOCAL), "H5Fflush", name);
  const ssize_t size = H5Fget_file_image(file.get(), nullptr, 0);
  h5::check(size > 0 ? 0 : -1, "H5Fget_file_image", name);
  std::vector<std::byte> image(static_cast<std::size_t>(size));
  const ssize_t got = H5Fget_file_image(file.get(), image.data(), image.size());
  h5::check(got == size ? 0 : -1, "H5Fget_file_image", name);
  return image;
}

/// Returns the file offset of `content`, given the address that HDF5 reports. HDF5 1.10 reports
/// addresses without the user block, later versions with it; comparing the bytes decides which.
std::uint64_t locate(std::uint64_t reported, std::uint64_t user_block,
                     std::span<const std::byte> content, const std::vector<std::byte>& image,
                     const std::string& name) {
  const auto is_at = [&](std::uint64_t at) {
    return at <= image.size() && content.size() <= image.size() - at &&
           std::memcmp(image.data() + at, content.data(), content.size()) == 0;
  };
  if (is_at(reported)) return reported + user_block;
  if (reported >= user_block && is_at(reported - user_block)) return reported;
  throw IoError(str("[shard] ", name, ": HDF5 reports ", content.size(), " bytes at offset ",
                    reported,
                    ", but other bytes are there; please report this bug with your HDF5 "
                    "version"));
}

std::uint64_t chunk_address(const h5::Id& dataset, std::size_t index, const std::string& name) {
  constexpr std::size_t kMostDims = 5;
  const Dims at = [&] {
    Dims dims(kMostDims);
    dims[0] = static_cast<hsize_t>(index);
    return dims;
  }();
  unsigned mask = 0;
  haddr_t address = HADDR_UNDEF;
  hsize_t size = 0;
  h5::check(H5Dget_chunk_info_by_coord(dataset.get(), at.data(), &mask, &address, &size),
            "H5Dget_chunk_info_by_coord", name);
  return address;
}

std::vector<std::uint64_t> locate_frames(const h5::Id& dataset, std::span<const Frame> frames,
                                         std::uint64_t user_block,
                                         const std::vector<std::byte>& image,
                                         const std::string& name) {
  std::vector<std::uint64_t> offsets;
  for (std::size_t i = 0; i < frames.size(); ++i)
    offsets.push_back(locate(chunk_address(dataset, i, name), user_block, frames[i], image, name));
  return offsets;
}

/// The datasets of the records. Writes them on construction; tables stay open until close().
class RecordsWriter {
 public:
  RecordsWriter(const h5::Id& file, const DatasetSpec& spec, ShardRecords* records,
                const std::string& name)
      : records_(*records), name_(name) {
    index_.dtype = spec.text ? spec.text->dtype : DType::kBF16;
    if (!records_.captions.empty()) {
      index_.width = spec.text->width;
      index_.rows = records_.rows;
      groups_.emplace_back(H5Gcreate2(file.get(), "text", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Gclose, "H5Gcreate2", name);
      const Shape shape{index_.rows, index_.width};
      embeddings_.emplace(create_frames(file, "text/embeddings", index_.dtype, shape, name));
      write_frames(*embeddings_, shape, records_.frames, name);
      captions_.emplace(write_rows<CaptionEntry>(
          file, "text/captions", records_.captions,
          "clip rows text_offset text_bytes embedding frame_offset frame_bytes frame_hash", name));
    }
    if (!records_.sources.empty()) {
      sources_.emplace(write_rows<SourceEntry>(
          file, "sources", records_.sources,
          "name_offset name_bytes width height frames fps_millionths", name));
    }
    if (!records_.strings.empty()) {
      strings_.emplace(write_array(file, "strings", DType::kU8,
                                   {static_cast<std::int64_t>(records_.strings.size())},
                                   bytes_of_strings(), name));
    }
  }

  /// Finds the frames and tables in the image of the file, and completes the captions' entries in
  /// the records and in the image.
  RecordsIndex locate_in(std::uint64_t user_block, std::vector<std::byte>* image) {
    if (captions_) {
      const auto at = locate_frames(*embeddings_, records_.frames, user_block, *image, name_);
      index_.captions =
          locate_table(*captions_, std::as_bytes(std::span(records_.captions)), user_block, *image);
      for (CaptionEntry& entry : records_.captions) {
        const Frame& frame = records_.frames.at(static_cast<std::size_t>(entry.embedding));
        entry.frame_offset =
            static_cast<std::int64_t>(at.at(static_cast<std::size_t>(entry.embedding)));
        entry.frame_bytes = static_cast<std::int64_t>(frame.size());
        entry.frame_hash = static_cast<std::int64_t>(hash64(frame));
      }
      const auto bytes = std::as_bytes(std::span(records_.captions));
      std::memcpy(image->data() + (index_.captions.offset - user_block), bytes.data(),
                  bytes.size());
      index_.captions.hash = hash64(bytes);
      index_.entries = records_.captions;
    }
    if (sources_)
      index_.sources =
          locate_table(*sources_, std::as_bytes(std::span(records_.sources)), user_block, *image);
    if (strings_) index_.strings = locate_table(*strings_, bytes_of_strings(), user_block, *image);
    return index_;
  }

  void close() {
    for (std::optional<h5::Id>* id : {&strings_, &sources_, &captions_, &embeddings_})
      if (*id) (*id)->close();
    for (h5::Id& group : groups_) group.close();
  }

 private:
  [[nodiscard]] std::span<const std::byte> bytes_of_strings() const {
    return std::as_bytes(std::span(records_.strings.data(), records_.strings.size()));
  }
  [[nodiscard]] TableRange locate_table(const h5::Id& table, std::span<const std::byte> content,
                                        std::uint64_t user_block,
                                        const std::vector<std::byte>& image) const {
    return {locate(H5Dget_offset(table.get()), user_block, content, image, name_), content.size(),
            hash64(content)};
  }

  ShardRecords& records_;
  const std::string& name_;
  RecordsIndex index_;
  std::vector<h5::Id> groups_;
  std::optional<h5::Id> embeddings_, captions_, sources_, strings_;
};

}  // namespace

ShardImage build_shard_image(const DatasetSpec& spec, std::uint64_t user_block,
                             const ShardContent& content, const std::string& name) {
  const auto& [frames, labels, records] = content;
  EFLOW_ASSERT(frames.size() == labels.size() && !frames.empty());
  const h5::Session session;
  h5::Id file = create_memory_file(user_block, name);
  h5::Id latents = create_frames(file, "latents", spec.dtype, spec.shape, name);
  describe(latents, spec, name);
  write_frames(latents, spec.shape, frames, name);
  h5::Id stored_labels =
      write_array(file, "labels", DType::kI32, {static_cast<std::int64_t>(labels.size())},
                  std::as_bytes(labels), name);
  std::optional<RecordsWriter> stored_records;
  if (records) stored_records.emplace(file, spec, records, name);

  ShardImage out;
  out.bytes = copy_image(file, name);
  out.offsets = locate_frames(latents, frames, user_block, out.bytes, name);
  out.labels_offset = locate(H5Dget_offset(stored_labels.get()), user_block, std::as_bytes(labels),
                             out.bytes, name);
  if (stored_records) {
    out.records = stored_records->locate_in(user_block, &out.bytes);
    stored_records->close();
  }
  stored_labels.close();
  latents.close();
  file.close();
  return out;
}

}  // namespace eflow::io
