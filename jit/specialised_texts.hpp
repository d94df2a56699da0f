#pragma once
// Our own texts that are specialised at run time: known to every KernelDefinitions without being defined. Constants of
// the glga texts: d, softmax branch (0 none, 1 window, 2 all keys), linear branch, gates (0, 1 a row, 2 a channel), norms,
// window radius (-1: an argument), share of kept tokens in percent (0: all), queries and keys of a tile.

#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::jit {

#define EFLOW_GLGA(name) \
  { name, name ".h", name "<$t0, GlgaForm<$c0, $c1, $c2, $c3, $c4, $c5, $c6, $c7, $c8>>", 128 }

inline const KernelDefinition kSpecialisedTexts[] = {
    {"glga_state", "glga_state.h", "glga_state<$t0, $c0, $c1>", 256},
    EFLOW_GLGA("glga_forward"),
    EFLOW_GLGA("glga_rows_grad"),
    EFLOW_GLGA("glga_queries_grad"),
    EFLOW_GLGA("glga_keys_grad"),
    EFLOW_GLGA("glga_band_grad"),
    EFLOW_GLGA("glga_join_grad"),
};

#undef EFLOW_GLGA

}  // namespace eflow::jit
