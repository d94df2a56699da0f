# eflow_add_module(NAME DIR SOURCES a.cpp ... HEADERS a.hpp ... [DEPENDS eflow::x ...] [PRIVATE lib ...])
#
# The only way to add a library. Headers stand beside their sources and are included as "eflow/NAME/x.hpp": the module
# gets an include root of its own (a link in the build tree) that only targets linking it can see, so an include against
# the direction of the modules does not compile.
include(GNUInstallDirs)

add_library(eflow_options INTERFACE)
target_compile_features(eflow_options INTERFACE cxx_std_20)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(eflow_options INTERFACE -Wall -Wextra -Wshadow -Wno-missing-field-initializers)
  if(EFLOW_WERROR)
    target_compile_options(eflow_options INTERFACE -Werror)
  endif()
  if(EFLOW_SANITIZE)
    target_compile_options(eflow_options INTERFACE -fsanitize=${EFLOW_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(eflow_options INTERFACE -fsanitize=${EFLOW_SANITIZE})
  endif()
endif()
set_property(TARGET eflow_options PROPERTY EXPORT_NAME options)
install(TARGETS eflow_options EXPORT eflow)

function(eflow_header_root name dir out)
  set(root ${PROJECT_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root}/eflow)
  file(CREATE_LINK ${dir} ${root}/eflow/${name} SYMBOLIC)
  set(${out} ${root} PARENT_SCOPE)
endfunction()

function(eflow_add_module name)
  cmake_parse_arguments(M "" "" "SOURCES;HEADERS;DEPENDS;PRIVATE" ${ARGN})
  eflow_header_root(${name} ${CMAKE_CURRENT_SOURCE_DIR} root)
  list(TRANSFORM M_HEADERS PREPEND ${root}/eflow/${name}/)

  add_library(eflow_${name} ${M_SOURCES})
  add_library(eflow::${name} ALIAS eflow_${name})
  set_target_properties(eflow_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_sources(eflow_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${root} FILES ${M_HEADERS})
  target_link_libraries(eflow_${name} PUBLIC eflow_options ${M_DEPENDS} PRIVATE ${M_PRIVATE})
  install(TARGETS eflow_${name} EXPORT eflow FILE_SET HEADERS)
endfunction()
