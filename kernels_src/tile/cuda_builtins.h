#pragma once
// Maps the host compilers' builtins, which the texts use, to CUDA's functions. NVRTC provides the
// latter without any header.

#define __builtin_memcpy ::memcpy
#define __builtin_sqrtf ::sqrtf
#define __builtin_sqrt ::sqrt
#define __builtin_exp2 ::exp2
#define __builtin_exp ::exp
#define __builtin_logf ::logf
#define __builtin_log ::log
#define __builtin_sinf ::sinf
#define __builtin_sin ::sin
#define __builtin_cosf ::cosf
#define __builtin_cos ::cos
#define __builtin_tanh ::tanh
#define __builtin_fmaf ::fmaf
#define __builtin_fma ::fma
#define __builtin_inff() ::__int_as_float(0x7f800000)
#define __builtin_inf() ::__longlong_as_double(0x7ff0000000000000ll)
