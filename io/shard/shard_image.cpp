#include "eflow/io/shard/shard_image.hpp"

#include <array>
#include <cstring>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/h5.hpp"
#include "eflow/io/shard/h5_zstd_filter.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace {

constexpr std::size_t kGrowth = 4 << 20;  // bytes by which HDF5 grows the in-memory file
using FiveDims = std::array<hsize_t, 5>;

FiveDims five(std::int64_t clips, const Shape& clip) {
  FiveDims dims{static_cast<hsize_t>(clips)};
  for (int i = 0; i < 4; ++i) {
    dims[static_cast<std::size_t>(i) + 1] = static_cast<hsize_t>(clip[i]);
  }
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

h5::Id create_latents(const h5::Id& file, const DatasetSpec& spec, const std::string& name) {
  const FiveDims none = five(0, spec.shape), chunk = five(1, spec.shape);
  FiveDims most = none;
  most[0] = H5S_UNLIMITED;
  const h5::Id space(H5Screate_simple(5, none.data(), most.data()), H5Sclose, "H5Screate_simple",
                     name);
  const h5::Id layout = h5::make_properties(H5P_DATASET_CREATE, name);
  // Time stamps would make files of equal content differ.
  h5::check(H5Pset_obj_track_times(layout.get(), false), "H5Pset_obj_track_times", name);
  h5::check(H5Pset_chunk(layout.get(), 5, chunk.data()), "H5Pset_chunk", name);
  h5::check(H5Pset_shuffle(layout.get()), "H5Pset_shuffle", name);
  const unsigned level = kZstdLevel;
  h5::check(H5Pset_filter(layout.get(), kH5ZstdFilter, H5Z_FLAG_MANDATORY, 1, &level),
            "H5Pset_filter", name);
  return h5::Id(H5Dcreate2(file.get(), "latents", h5::file_type(spec.dtype, name).get(),
                           space.get(), H5P_DEFAULT, layout.get(), H5P_DEFAULT),
                H5Dclose, "H5Dcreate2 latents", name);
}

void describe(const h5::Id& latents, const DatasetSpec& spec, const std::string& name) {
  h5::write_attribute(latents, "dtype", std::string(name_of(spec.dtype)), name);
  h5::write_attribute(latents, "layout", std::string("N,C,T,H,W"), name);
  h5::write_attribute(latents, "value_scale", spec.mapping.scale, name);
  h5::write_attribute(latents, "value_offset", spec.mapping.offset, name);
  h5::write_attribute(latents, "fps", spec.fps, name);
}

void write_frames(const h5::Id& latents, const Shape& clip, std::span<const Frame> frames,
                  const std::string& name) {
  const FiveDims size = five(static_cast<std::int64_t>(frames.size()), clip);
  h5::check(H5Dset_extent(latents.get(), size.data()), "H5Dset_extent", name);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const FiveDims at{static_cast<hsize_t>(i)};
    h5::check(H5Dwrite_chunk(latents.get(), H5P_DEFAULT, 0, at.data(), frames[i].size(),
                             frames[i].data()),
              "H5Dwrite_chunk", name);
  }
}

h5::Id write_labels(const h5::Id& file, std::span<const std::int32_t> labels,
                    const std::string& name) {
  const h5::Id layout = h5::make_properties(H5P_DATASET_CREATE, name);
  h5::check(H5Pset_obj_track_times(layout.get(), false), "H5Pset_obj_track_times", name);
  h5::check(H5Pset_layout(layout.get(), H5D_CONTIGUOUS), "H5Pset_layout", name);
  const h5::Id type = h5::file_type(DType::kI32, name);
  h5::Id data(H5Dcreate2(file.get(), "labels", type.get(),
                         h5::space({static_cast<std::int64_t>(labels.size())}, name).get(),
                         H5P_DEFAULT, layout.get(), H5P_DEFAULT),
              H5Dclose, "H5Dcreate2 labels", name);
  h5::check(H5Dwrite(data.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()),
            "H5Dwrite labels", name);
  return data;
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

std::uint64_t chunk_address(const h5::Id& latents, std::size_t index, const std::string& name) {
  const FiveDims at{static_cast<hsize_t>(index)};
  unsigned mask = 0;
  haddr_t address = HADDR_UNDEF;
  hsize_t size = 0;
  h5::check(H5Dget_chunk_info_by_coord(latents.get(), at.data(), &mask, &address, &size),
            "H5Dget_chunk_info_by_coord", name);
  return address;
}

}  // namespace

ShardImage build_shard_image(const DatasetSpec& spec, std::uint64_t user_block,
                             std::span<const Frame> frames, std::span<const std::int32_t> labels,
                             const std::string& name) {
  EFLOW_ASSERT(frames.size() == labels.size() && !frames.empty());
  const h5::Session session;
  h5::Id file = create_memory_file(user_block, name);
  h5::Id latents = create_latents(file, spec, name);
  describe(latents, spec, name);
  write_frames(latents, spec.shape, frames, name);
  h5::Id stored_labels = write_labels(file, labels, name);

  ShardImage out;
  out.bytes = copy_image(file, name);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    out.offsets.push_back(
        locate(chunk_address(latents, i, name), user_block, frames[i], out.bytes, name));
  }
  out.labels_offset = locate(H5Dget_offset(stored_labels.get()), user_block, std::as_bytes(labels),
                             out.bytes, name);
  stored_labels.close();
  latents.close();
  file.close();
  return out;
}

}  // namespace eflow::io
