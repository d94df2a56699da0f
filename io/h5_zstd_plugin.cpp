// The two functions that HDF5 looks for in a plug-in. Put the directory of libeflow_h5zstd.so into
// HDF5_PLUGIN_PATH.
#include <H5PLextern.h>

#include "eflow/io/h5_zstd_filter.hpp"

extern "C" {

__attribute__((visibility("default"))) H5PL_type_t H5PLget_plugin_type(void) {
  return H5PL_TYPE_FILTER;
}

__attribute__((visibility("default"))) const void* H5PLget_plugin_info(void) {
  return eflow::io::h5_zstd_filter_class();
}

}  // extern "C"
