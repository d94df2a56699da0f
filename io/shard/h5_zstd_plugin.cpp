// The two entry points that HDF5 looks up in a plug-in. To use it, set HDF5_PLUGIN_PATH to the
// directory of libeflow_h5zstd.so.
#include <H5PLextern.h>

#include "eflow/io/shard/h5_zstd_filter.hpp"

extern "C" {

__attribute__((visibility("default"))) H5PL_type_t H5PLget_plugin_type(void) {
  return H5PL_TYPE_FILTER;
}

__attribute__((visibility("default"))) const void* H5PLget_plugin_info(void) {
  return eflow::io::h5_zstd_filter_class();
}

}  // extern "C"
