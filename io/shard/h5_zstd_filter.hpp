#pragma once
// The HDF5 filter "zstd", registered id 32015, which no Debian 12 package provides. The same filter
// class is registered in-process and exported by the plug-in libeflow_h5zstd.so, with which h5py
// and h5dump read shards.

namespace eflow::io {

inline constexpr int kH5ZstdFilter = 32015;

/// Returns the filter class, an H5Z_class2_t with static lifetime.
[[nodiscard]] const void* h5_zstd_filter_class();

}  // namespace eflow::io
