# A GPU for tests of core and what is above it (emulated_gpu.hpp): every built-in text in its GPU form, in a namespace of its
# own, a library that passes for NVRTC, and the driver that runs the one by the name the other hands through.
get_directory_property(EFLOW_BUILTIN_TEXTS DIRECTORY ${PROJECT_SOURCE_DIR}/jit DEFINITION EFLOW_BUILTIN_TEXTS)
set(emulated_tables "")
add_library(eflow_emulated_texts OBJECT)
foreach(text ${EFLOW_BUILTIN_TEXTS})
  set(source ${PROJECT_SOURCE_DIR}/jit/builtin/${text}.cpp)
  target_sources(eflow_emulated_texts PRIVATE ${source})
  eflow_text_file(path ${text})
  set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS "EFLOW_TEXT_FILE=\"${path}\"")
  string(APPEND emulated_tables "EFLOW_TABLE(${text})\n")
endforeach()
file(CONFIGURE OUTPUT ${generated}/eflow/tests/support/cuda/emulated_tables.inc CONTENT "@emulated_tables@" @ONLY)
# Blocks of 256 threads, but attention's, which are of 128.
function(eflow_emulated_glga name threads)
  add_library(eflow_emulated_glga_${name} OBJECT support/cuda/emulated_glga.cpp)
  target_compile_definitions(eflow_emulated_glga_${name} PRIVATE
    EFLOW_TEXT=eflow_text_emulated_glga_${name} EFLOW_THREADS=${threads} EFLOW_TEXT_FILE="" ${ARGN})
endfunction()
eflow_emulated_glga(128 128 EFLOW_EMULATED_ARCH=80)
eflow_emulated_glga(256 256 EFLOW_EMULATED_ARCH=80)
eflow_emulated_glga(bulk 128 EFLOW_EMULATED_ARCH=90 EFLOW_BULK_COPIES=1)
target_compile_definitions(eflow_emulated_texts PRIVATE EFLOW_TEXT=eflow_text_emulated_gpu EFLOW_THREADS=256
  EFLOW_EMULATED_ARCH=80)
# With a warpgroup's products.
add_library(eflow_emulated_tile_matrix OBJECT support/cuda/emulated_tile_matrix.cpp)
target_compile_definitions(eflow_emulated_tile_matrix PRIVATE
  EFLOW_TEXT=eflow_text_emulated_tile_matrix EFLOW_THREADS=128 EFLOW_TEXT_FILE="" EFLOW_EMULATED_ARCH=90)
foreach(target
    eflow_emulated_texts
    eflow_emulated_glga_128
    eflow_emulated_glga_256
    eflow_emulated_glga_bulk
    eflow_emulated_tile_matrix)
  target_include_directories(${target} BEFORE PRIVATE ${EFLOW_EMULATION_ROOT})
  target_compile_definitions(${target} PRIVATE EFLOW_GPU)
  target_compile_options(${target} PRIVATE -O1 -fno-math-errno)
  target_link_libraries(${target} PRIVATE eflow_everything eflow_options)
endforeach()

add_library(eflow_fake_nvrtc SHARED support/cuda/fake_nvrtc.cpp)
target_link_libraries(eflow_fake_nvrtc PRIVATE eflow_options)
# Next to the driver that executes nothing: scripts/gpu_check.sh --rehearse.
set_target_properties(eflow_fake_nvrtc PROPERTIES OUTPUT_NAME nvrtc
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/do_nothing)

add_library(eflow_emulated_gpu STATIC
  support/cuda/emulated_gpu.cpp
  support/cuda/emulated_texts.cpp
  $<TARGET_OBJECTS:eflow_emulated_texts>
  $<TARGET_OBJECTS:eflow_emulated_glga_128>
  $<TARGET_OBJECTS:eflow_emulated_glga_256>
  $<TARGET_OBJECTS:eflow_emulated_glga_bulk>
  $<TARGET_OBJECTS:eflow_emulated_tile_matrix>)
target_include_directories(eflow_emulated_gpu PRIVATE ${generated})
target_compile_definitions(eflow_emulated_gpu PRIVATE EFLOW_FAKE_NVRTC="$<TARGET_FILE:eflow_fake_nvrtc>")
target_link_libraries(eflow_emulated_gpu
  PUBLIC eflow::core eflow_everything
  PRIVATE eflow_options)
add_dependencies(eflow_emulated_gpu eflow_fake_nvrtc)
