# How a library of ours is made. An include path is the repository path with "eflow/" in front; which paths a target sees
# decides what it may use (docs/architecture.md):
#
#   its own    everything in its rooms                    include/NAME/private, for itself
#   public     EFLOW_PUBLIC_NAME and EFLOW_DETAIL_NAME of PublicHeaders.cmake
#                                                         include/NAME/public, for whoever links it; installed
#   shared     EFLOW_SHARED_NAME of the same file         include/NAME/shared, for our own modules above it; not installed
#
# The roots are folders of links in the build tree. Tests and benchmarks see every path (eflow_everything).
include(GNUInstallDirs)
include(PublicHeaders)

# Warnings and checks: for our own targets, never for those that link them.
add_library(eflow_options INTERFACE)
target_compile_features(eflow_options INTERFACE cxx_std_20)
target_compile_options(eflow_options INTERFACE -Wno-missing-field-initializers)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(eflow_options INTERFACE -Wall -Wextra -Wshadow)
  if(EFLOW_WERROR)
    target_compile_options(eflow_options INTERFACE -Werror)
  endif()
  if(EFLOW_SANITIZE)
    target_compile_options(eflow_options INTERFACE -fsanitize=${EFLOW_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(eflow_options INTERFACE -fsanitize=${EFLOW_SANITIZE})
  endif()
endif()

# eflow_include_root(OUT NAME PATH...): a root in which these files and folders of the repository stand.
function(eflow_include_root out name)
  set(root ${PROJECT_BINARY_DIR}/include/${name})
  file(REMOVE_RECURSE ${root})
  foreach(path IN LISTS ARGN)
    cmake_path(GET path PARENT_PATH folder)
    file(MAKE_DIRECTORY ${root}/eflow/${folder})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${path} ${root}/eflow/${path} SYMBOLIC)
  endforeach()
  file(MAKE_DIRECTORY ${root})
  set(${out} ${root} PARENT_SCOPE)
endfunction()

# Every path of the repository: for tests and benchmarks.
add_library(eflow_everything INTERFACE)
eflow_include_root(everything everything benchmarks core examples io jit kernels_src nn soflow tests trainer)
target_include_directories(eflow_everything INTERFACE ${everything})

# eflow_see_private(TARGET MODULE...): TARGET is a part of these modules that is built by itself.
function(eflow_see_private target)
  foreach(module IN LISTS ARGN)
    target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/include/${module}/private)
  endforeach()
endfunction()

# eflow_see_shared(TARGET MODULE...): TARGET uses the shared headers of these modules and of all below them.
function(eflow_see_shared target)
  foreach(module IN LISTS ARGN)
    get_property(below GLOBAL PROPERTY EFLOW_BELOW_${module})
    foreach(one IN LISTS module below)
      target_include_directories(${target} PRIVATE
        $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include/${one}/shared>)
    endforeach()
  endforeach()
endfunction()

# eflow_add_module(NAME ROOMS folder... SOURCES file... [DEPENDS module...] [PRIVATE library...])
#
# The only way to add a library. ROOMS: its folders, from the root of the repository. DEPENDS: modules below it. PRIVATE:
# libraries of others that its sources use and its headers do not.
function(eflow_add_module name)
  cmake_parse_arguments(M "" "" "ROOMS;SOURCES;DEPENDS;PRIVATE" ${ARGN})
  set(target eflow_${name})
  add_library(${target} ${M_SOURCES})
  add_library(eflow::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH "\$ORIGIN")
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(BUILD_SHARED_LIBS AND NOT EFLOW_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  # Without tests, which reach into a library, it exports what stands between EFLOW_EXPORT_BEGIN and EFLOW_EXPORT_END alone
  # (core/base/export.hpp).
  if(BUILD_SHARED_LIBS AND NOT EFLOW_BUILD_TESTS)
    set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  endif()

  eflow_include_root(private ${name}/private ${M_ROOMS})
  set(installed ${EFLOW_PUBLIC_${name}} ${EFLOW_DETAIL_${name}})
  eflow_include_root(public ${name}/public ${installed})
  eflow_include_root(shared ${name}/shared ${EFLOW_SHARED_${name}})
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${public}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${private})

  set(below "")
  foreach(module IN LISTS M_DEPENDS)
    get_property(more GLOBAL PROPERTY EFLOW_BELOW_${module})
    list(APPEND below ${module} ${more})
    target_link_libraries(${target} PUBLIC eflow::${module})
  endforeach()
  list(REMOVE_DUPLICATES below)
  set_property(GLOBAL PROPERTY EFLOW_BELOW_${name} "${below}")
  eflow_see_shared(${target} ${M_DEPENDS})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:eflow_options> ${M_PRIVATE})

  if(EFLOW_INSTALL)
    install(TARGETS ${target} EXPORT eflow)
    foreach(header IN LISTS installed)
      cmake_path(GET header PARENT_PATH folder)
      install(FILES ${PROJECT_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/eflow/${folder})
    endforeach()
  endif()
endfunction()
