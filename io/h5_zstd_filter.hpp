#pragma once
// The HDF5 filter "zstd", registered number 32015, that no Debian package has. The same class is
// registered inside our process and exported by the plug-in libeflow_h5zstd.so, with which h5py and
// h5dump read our shards.

namespace eflow::io {

inline constexpr int kH5ZstdFilter = 32015;

/// A pointer to the H5Z_class2_t.
[[nodiscard]] const void* h5_zstd_filter_class();

}  // namespace eflow::io
