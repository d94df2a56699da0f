#pragma once
// C = epilogue(alpha A B + beta C), see args/gemm.h: gemm<T, O> for A and B of type T and C of type
// O; gemm_large<T, O> for a GPU's large products. CPU and GPU have separate texts under one name,
// because their best blocking differs: packed panels sized for the caches on the CPU, tiles along k
// on a GPU.

#if defined(EFLOW_GPU) || defined(__CUDACC_RTC__)
#include "eflow/kernels_src/gemm/gpu.h"
#else
#include "eflow/kernels_src/gemm/cpu.h"
#endif
