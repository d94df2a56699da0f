#pragma once
// The arguments of the kernels of this folder, as the host declares them: the same fields as the
// struct of the text, void* for any pointer. A launch checks the types of all fields.

namespace examples {

using Index = long long;

struct VectorAddArgs {
  const void *x, *y;
  void* z;
  Index count, per_block;
};

struct SoftmaxArgs {
  const void* x;
  void* y;
  Index rows, width, per_block;
};

struct DropoutArgs {
  const void* x;
  void* y;
  Index count, per_block;
  float p;
  unsigned key_low, key_high;
};

struct MatmulArgs {
  const void *x, *w, *bias;
  void* y;
  Index m, n, k;
};

struct LayerNormArgs {
  const void *x, *f, *o;
  void *y, *mean, *rstd;
  Index rows, width, per_block;
};

struct LayerNormGradArgs {
  const void *x, *dy, *f, *mean, *rstd;
  void *dx, *df, *d_o, *parts;
  Index rows, width, per_block;
};

struct AttentionArgs {
  const void *q, *k, *v;
  void* o;
  Index tokens;
  float scale;
};

struct GroupedGemmArgs {
  const void *x, *w;
  void* y;
  const void* begin;
  Index groups, n, k;
};

struct CumsumArgs {
  const void* x;
  void* y;
  Index width;
};

struct GatherScatterArgs {
  const void *table, *index;
  void *y, *sums;
  Index rows, width, per_block;
};

}  // namespace examples
