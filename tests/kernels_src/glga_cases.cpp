// The glga texts as functions; compiled once for each instruction set and for emulated GPUs. Includes nothing of the
// standard library: an inline function instantiated here with AVX-512 could serve the whole test.

#include "kernels_src/glga_cases.h"

#include "glga_forward.h"
#include "glga_keys_grad.h"
#include "glga_queries_grad.h"
#include "glga_rows_grad.h"
#include "glga_state.h"

namespace EFLOW_TEXT {
namespace {

template <auto kText, class Args>
void run_text(const void* block, const void* args) {
  kText(*static_cast<const Block*>(block), *static_cast<const Args*>(args));
}

template <int kForm, const int (&kTile)[2]>
using Form = GlgaForm<kGlgaForms[kForm].head, kGlgaForms[kForm].local, kGlgaForms[kForm].global,
                      kGlgaForms[kForm].gates, kGlgaForms[kForm].normed, kGlgaForms[kForm].radius,
                      kGlgaForms[kForm].kept, kTile[0], kTile[1]>;

template <class T, int kForm>
constexpr GlgaTexts texts() {
  GlgaTexts out{};
#if !defined(EFLOW_THREADS) || EFLOW_THREADS == 256
  out.state = {run_text<glga_state<T, kGlgaForms[kForm].head, kGlgaStateTile>, GlgaState>};
#endif
#if !defined(EFLOW_THREADS) || EFLOW_THREADS == 128
  out.forward = {run_text<glga_forward<T, Form<kForm, kGlgaForwardTile>>, Glga>};
  out.rows_grad = {run_text<glga_rows_grad<T, Form<kForm, kGlgaRowsTile>>, Glga>};
  out.queries_grad = {run_text<glga_queries_grad<T, Form<kForm, kGlgaQueriesTile>>, Glga>};
  out.keys_grad = {run_text<glga_keys_grad<T, Form<kForm, kGlgaKeysTile>>, Glga>};
#endif
  return out;
}

}  // namespace

extern const GlgaTable kGlgaTable;
#if defined(EFLOW_GPU)
const GlgaTable kGlgaTable = {{texts<float, 0>(), texts<bf16, 0>()},
                              {texts<float, 1>(), texts<bf16, 1>()},
                              {texts<float, 2>(), texts<bf16, 2>()}};
#else
const GlgaTable kGlgaTable = {{texts<double, 0>()}, {texts<double, 1>()}, {texts<double, 2>()}};
#endif

}  // namespace EFLOW_TEXT
