# Packages that Debian ships without CMake files of their own, as imported targets found by pkg-config. Used to build eflow,
# and by find_package(eflow) where the libraries are static and a component that links them is asked for.
#
#   eflow_find_packages(MISSING NAME...)    MISSING: names of those that are not there
function(eflow_find_packages missing)
  set(absent "")
  find_package(PkgConfig QUIET)
  set(modules_hdf5 hdf5 hdf5-serial)  # either
  set(modules_zstd libzstd)
  set(modules_xxhash libxxhash)
  set(modules_png libpng)
  set(modules_webp "libwebp;libwebpmux")
  foreach(name IN LISTS ARGN)
    if(TARGET PkgConfig::${name})
      continue()
    endif()
    if(NOT PKG_CONFIG_FOUND)
      list(APPEND absent ${name})
    elseif(name STREQUAL "hdf5")
      pkg_search_module(${name} QUIET IMPORTED_TARGET GLOBAL ${modules_${name}})
    else()
      pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${modules_${name}})
    endif()
    if(PKG_CONFIG_FOUND AND NOT TARGET PkgConfig::${name})
      list(APPEND absent ${name})
    endif()
  endforeach()
  set(${missing} "${absent}" PARENT_SCOPE)
endfunction()
