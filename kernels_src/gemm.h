#pragma once
// C = epilogue(alpha A B + beta C), see args/gemm.h: gemm<T, O> for A and B of type T and C of type O. Two texts under one
// name, since what a block does best differs too much: on the CPU packed panels for a whole cache, on a GPU tiles of k.

#if defined(EFLOW_GPU) || defined(__CUDACC_RTC__)
#include "gemm_gpu.h"
#else
#include "gemm_cpu.h"
#endif
