# Packages that Debian ships without CMake files of their own, as imported targets found by pkg-config.
# (CMake's FindHDF5 would need the C language enabled.)
find_package(PkgConfig REQUIRED)
pkg_search_module(hdf5 REQUIRED IMPORTED_TARGET hdf5 hdf5-serial)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(png REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(webp REQUIRED IMPORTED_TARGET libwebp libwebpmux)
