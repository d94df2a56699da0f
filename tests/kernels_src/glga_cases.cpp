// The glga texts as functions, compiled once per instruction set and per emulated GPU. Includes no
// standard header: an inline function instantiated here with AVX-512 could be linked into the whole
// test.

#include "eflow/tests/kernels_src/glga_cases.h"

#include "eflow/kernels_src/glga/forward.h"
#include "eflow/kernels_src/glga/keys_grad.h"
#include "eflow/kernels_src/glga/queries_grad.h"
#include "eflow/kernels_src/glga/rows_grad.h"
#include "eflow/kernels_src/glga/state.h"

namespace EFLOW_TEXT {
namespace {

template <auto kText, class Args>
void run_text(const void* block, const void* args) {
  kText(*static_cast<const Block*>(block), *static_cast<const Args*>(args));
}

template <int kForm, GlgaTileCase GlgaFormCase::*kTile>
using Form = GlgaForm<kGlgaForms[kForm].head, kGlgaForms[kForm].local, kGlgaForms[kForm].global,
                      kGlgaForms[kForm].gates, kGlgaForms[kForm].normed, kGlgaForms[kForm].radius,
                      kGlgaForms[kForm].kept, (kGlgaForms[kForm].*kTile).rows,
                      (kGlgaForms[kForm].*kTile).keys>;

template <class T, int kForm>
constexpr GlgaTexts texts() {
  GlgaTexts out{};
#if !defined(EFLOW_THREADS) || EFLOW_THREADS == 256
  out.state = {run_text<glga_state<T, kGlgaForms[kForm].head, kGlgaForms[kForm].state>, GlgaState>};
#endif
#if !defined(EFLOW_THREADS) || EFLOW_THREADS == 128
  out.forward = {run_text<glga_forward<T, Form<kForm, &GlgaFormCase::forward>>, Glga>};
  out.rows_grad = {run_text<glga_rows_grad<T, Form<kForm, &GlgaFormCase::rows_grad>>, Glga>};
  out.queries_grad = {
      run_text<glga_queries_grad<T, Form<kForm, &GlgaFormCase::queries_grad>>, Glga>};
  out.keys_grad = {run_text<glga_keys_grad<T, Form<kForm, &GlgaFormCase::keys_grad>>, Glga>};
#endif
  return out;
}

}  // namespace

extern const GlgaTable kGlgaTable;
#if defined(EFLOW_GPU)
const GlgaTable kGlgaTable = {
    {texts<float, 0>(), texts<bf16, 0>()}, {texts<float, 1>(), texts<bf16, 1>()},
    {texts<float, 2>(), texts<bf16, 2>()}, {texts<float, 3>(), texts<bf16, 3>()},
    {texts<float, 4>(), texts<bf16, 4>()}, {texts<float, 5>(), texts<bf16, 5>()}};
#else
const GlgaTable kGlgaTable = {{texts<double, 0>()}, {texts<double, 1>()}, {texts<double, 2>()},
                              {texts<double, 3>()}, {texts<double, 4>()}, {texts<double, 5>()}};
#endif

}  // namespace EFLOW_TEXT
