// The words of vocabulary_text.h as functions, compiled once per instruction set and for an emulated
// GPU. Includes no standard header, as tile_matrix_cases.cpp.

#include "eflow/tests/kernels_src/vocabulary_text.h"

namespace EFLOW_TEXT {
namespace {

template <void (*kText)(const Block&, const VocabularyCase&)>
void run_text(const void* block, const void* args) {
  kText(*static_cast<const Block*>(block), *static_cast<const VocabularyCase*>(args));
}

}  // namespace

extern const VocabularyEntry kVocabulary[];
#define EFLOW_ENTRY(T) {#T, run_text<vocabulary<T>>},
const VocabularyEntry kVocabulary[] = {EFLOW_VOCABULARY_TYPES(EFLOW_ENTRY){nullptr, nullptr}};

}  // namespace EFLOW_TEXT
