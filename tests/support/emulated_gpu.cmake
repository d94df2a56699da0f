# An emulated GPU for tests of core and the modules above it (emulated_gpu.hpp): every built-in text
# in its GPU form in a namespace of its own, a library that poses as NVRTC, and a driver that runs
# the text that the library names.
get_directory_property(EFLOW_BUILTIN_TEXTS DIRECTORY ${PROJECT_SOURCE_DIR}/jit DEFINITION EFLOW_BUILTIN_TEXTS)
set(emulated_tables "")
add_library(eflow_emulated_texts OBJECT)
foreach(text ${EFLOW_BUILTIN_TEXTS})
  set(source ${PROJECT_SOURCE_DIR}/jit/builtin/${text}.cpp)
  target_sources(eflow_emulated_texts PRIVATE ${source})
  set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS "EFLOW_TEXT_FILE=\"${text}.h\"")
  string(APPEND emulated_tables "EFLOW_TABLE(${text})\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/emulated_tables.inc CONTENT "@emulated_tables@" @ONLY)
# Blocks of 256 threads, of 128 for attention.
function(eflow_emulated_glga name threads)
  add_library(eflow_emulated_glga_${name} OBJECT support/emulated_glga.cpp)
  target_compile_definitions(eflow_emulated_glga_${name} PRIVATE
    EFLOW_TEXT=eflow_text_emulated_glga_${name} EFLOW_THREADS=${threads} EFLOW_TEXT_FILE="" ${ARGN})
endfunction()
eflow_emulated_glga(128 128 EFLOW_EMULATED_ARCH=80)
eflow_emulated_glga(256 256 EFLOW_EMULATED_ARCH=80)
eflow_emulated_glga(bulk 128 EFLOW_EMULATED_ARCH=90 EFLOW_BULK_COPIES=1)
target_compile_definitions(eflow_emulated_texts PRIVATE EFLOW_TEXT=eflow_text_emulated_gpu EFLOW_THREADS=256
  EFLOW_EMULATED_ARCH=80)
# With warpgroup products.
add_library(eflow_emulated_tile_matrix OBJECT support/emulated_tile_matrix.cpp)
target_compile_definitions(eflow_emulated_tile_matrix PRIVATE
  EFLOW_TEXT=eflow_text_emulated_tile_matrix EFLOW_THREADS=128 EFLOW_TEXT_FILE="" EFLOW_EMULATED_ARCH=90)
foreach(target eflow_emulated_texts eflow_emulated_glga_128 eflow_emulated_glga_256 eflow_emulated_glga_bulk
    eflow_emulated_tile_matrix)
  target_include_directories(${target} PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR}/support/cuda_emulation ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/kernels_src
    ${PROJECT_SOURCE_DIR}/jit ${PROJECT_BINARY_DIR}/include/jit ${PROJECT_BINARY_DIR}/include/base)
  target_compile_definitions(${target} PRIVATE EFLOW_GPU)
  target_compile_options(${target} PRIVATE -O1 -fno-math-errno)
  target_link_libraries(${target} PRIVATE eflow_options)
endforeach()

add_library(eflow_fake_nvrtc SHARED support/fake_nvrtc.cpp)
target_link_libraries(eflow_fake_nvrtc PRIVATE eflow_options)

add_library(eflow_emulated_gpu STATIC support/emulated_gpu.cpp support/emulated_texts.cpp
  $<TARGET_OBJECTS:eflow_emulated_texts> $<TARGET_OBJECTS:eflow_emulated_glga_128>
  $<TARGET_OBJECTS:eflow_emulated_glga_256> $<TARGET_OBJECTS:eflow_emulated_glga_bulk>
  $<TARGET_OBJECTS:eflow_emulated_tile_matrix>)
target_include_directories(eflow_emulated_gpu PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
target_compile_definitions(eflow_emulated_gpu PRIVATE EFLOW_FAKE_NVRTC="$<TARGET_FILE:eflow_fake_nvrtc>")
target_link_libraries(eflow_emulated_gpu PUBLIC eflow::core eflow_cuda_emulation PRIVATE eflow_options)
add_dependencies(eflow_emulated_gpu eflow_fake_nvrtc)

foreach(name core.cuda_bulk_copies core.cuda_capture core.cuda_glga core.cuda_ops core.cuda_primitives trainer.cuda_step)
  target_link_libraries(test.${name} PRIVATE eflow_emulated_gpu)
endforeach()
