#pragma once
// Matrices: the two-dimensional half of the tile vocabulary.

#include "tile/pack.h"
#if !defined(__CUDACC_RTC__)
#include "tile/arena_cpu.h"
#include "tile/matrix_pack_cpu.h"
#endif
