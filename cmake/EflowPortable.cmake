# For a program that runs where nothing is installed: the archives that Debian ships take the place of shared libraries, the
# C++ runtime goes in too. libc stays shared, since dlopen (of compiled kernels, of CUDA's libraries) needs it; the machine's
# must be as new as the one built on.
function(eflow_static target)
  set(archives "")
  foreach(name ${ARGN})
    find_library(EFLOW_ARCHIVE_${name} NAMES lib${name}.a PATH_SUFFIXES hdf5/serial REQUIRED)
    list(APPEND archives ${EFLOW_ARCHIVE_${name}})
  endforeach()
  set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${archives}" INTERFACE_LINK_OPTIONS "")
endfunction()

add_library(eflow_hdf5_without_s3 STATIC ${CMAKE_CURRENT_LIST_DIR}/hdf5_without_s3.cpp)
eflow_static(PkgConfig::hdf5 hdf5 sz aec z)
set_property(TARGET PkgConfig::hdf5 APPEND PROPERTY INTERFACE_LINK_LIBRARIES eflow_hdf5_without_s3)
eflow_static(PkgConfig::zstd zstd)
eflow_static(PkgConfig::png png16 z)
eflow_static(PkgConfig::webp webpmux webp)
add_link_options(-static-libstdc++ -static-libgcc)
link_libraries(${CMAKE_DL_LIBS} m)
